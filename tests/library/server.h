// A server on 127.0.0.1 with scripted responses. It handles one connection at a time and closes each after
// its response.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace gabbro::library {

/// A scripted response.
struct Answer {
  int status = 200;
  std::string body, headers;  // headers: lines that end in \r\n
  bool hang = false;          // no answer; the connection stays open until the server ends
};

class Server {
 public:
  /// `answer` receives the path with its query, and the body. It is called from the server's thread.
  explicit Server(std::function<Answer(const std::string&, const std::string&)> answer)
      : answer_(std::move(answer)) {
    socket_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    bind(socket_, reinterpret_cast<sockaddr*>(&address), size);
    listen(socket_, 16);
    getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    thread_ = std::thread([this] { run(); });
  }
  ~Server() {
    stop_ = true;
    thread_.join();
    for (const int c : hanging_) close(c);
    close(socket_);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] const std::string& url() const { return url_; }
  /// Returns the paths of all requests with their queries, in the order of arrival.
  std::vector<std::string> paths() {
    const std::lock_guard lock(mutex_);
    return paths_;
  }

 private:
  void run() {
    while (!stop_) {
      pollfd event{socket_, POLLIN, 0};
      if (poll(&event, 1, 20) <= 0) continue;
      const int client = accept(socket_, nullptr, nullptr);
      if (client >= 0) serve(client);
    }
  }
  void serve(int client) {
    std::string request;
    char buffer[4096];
    std::size_t end = std::string::npos;
    const auto receive_more = [&] {
      const ssize_t n = recv(client, buffer, sizeof buffer, 0);
      if (n > 0) request.append(buffer, static_cast<std::size_t>(n));
      return n > 0;
    };
    while ((end = request.find("\r\n\r\n")) == std::string::npos)
      if (!receive_more()) break;
    std::size_t length = 0;
    if (const auto at = request.find("Content-Length: "); at != std::string::npos && at < end)
      length = std::stoul(request.substr(at + 16));
    if (request.find("100-continue") < end) {
      const std::string go = "HTTP/1.1 100 Continue\r\n\r\n";
      send(client, go.data(), go.size(), MSG_NOSIGNAL);
    }
    while (end != std::string::npos && request.size() < end + 4 + length)
      if (!receive_more()) break;
    const auto from = request.find(' ') + 1;
    const std::string path = request.substr(from, request.find(' ', from) - from);
    {
      const std::lock_guard lock(mutex_);
      paths_.push_back(path);
    }
    const Answer a = answer_(path, end == std::string::npos ? "" : request.substr(end + 4));
    if (a.hang) {
      hanging_.push_back(client);
      return;
    }
    const std::string out = "HTTP/1.1 " + std::to_string(a.status) + " X\r\n" + a.headers +
                            "Content-Length: " + std::to_string(a.body.size()) +
                            "\r\nConnection: close\r\n\r\n" + a.body;
    for (std::size_t sent = 0; sent < out.size();) {
      const ssize_t n = send(client, out.data() + sent, out.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) break;
      sent += static_cast<std::size_t>(n);
    }
    close(client);
  }

  std::function<Answer(const std::string&, const std::string&)> answer_;
  int socket_ = -1;
  std::string url_;
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::vector<std::string> paths_;
  std::vector<int> hanging_;
  std::thread thread_;
};

}  // namespace gabbro::library
