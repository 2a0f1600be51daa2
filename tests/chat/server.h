// An HTTP server on the loopback address with scripted responses and faults.
#pragma once

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace gabbro::chat {

/// A request that the server received.
struct ReceivedRequest {
  std::string head, body;  // head: request line and headers
  int number = 0;          // index of the request, from 0
};

/// The response to a request, or a fault in its place.
struct ScriptedResponse {
  // kHang never answers; kClose closes the connection; kShort sends less of the body than announced and
  // closes the connection; kStall does so and keeps it open.
  enum class Fault : std::uint8_t { kNone, kHang, kClose, kShort, kStall };
  int status = 200;
  std::string body;
  std::string headers;  // lines that end in \r\n
  Fault fault = Fault::kNone;
};

/// Serves one request per connection, each in a thread. The destructor ends requests that hang.
class Server {
 public:
  explicit Server(std::function<ScriptedResponse(const ReceivedRequest&)> answer)
      : answer_(std::move(answer)) {
    socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    const bool listening = bind(socket_, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                           listen(socket_, 64) == 0 &&
                           getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) == 0;
    port_ = listening ? ntohs(address.sin_port) : 0;
    accepting_ = std::thread([this] { accept_all(); });
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server() {
    stopping_ = true;
    shutdown(socket_, SHUT_RDWR);
    accepting_.join();
    for (std::thread& t : threads_) t.join();
    close(socket_);
  }

  [[nodiscard]] std::string url() const { return fmt::format("http://127.0.0.1:{}/v1", port_); }
  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] int request_count() const { return request_count_; }
  [[nodiscard]] std::vector<ReceivedRequest> received() const {
    const std::lock_guard lock(mutex_);
    return received_;
  }

 private:
  void accept_all() {
    for (;;) {
      const int connection = accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
      if (connection < 0) return;
      threads_.emplace_back([this, connection] {
        const timeval second{1, 0};
        setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
        serve(connection);
        close(connection);
      });
    }
  }

  void serve(int connection) {
    std::string text;
    std::size_t head = std::string::npos, length = 0;
    char bytes[65536];
    while (head == std::string::npos || text.size() < head + 4 + length) {
      const ssize_t n = recv(connection, bytes, sizeof bytes, 0);
      if (n <= 0) return;
      text.append(bytes, static_cast<std::size_t>(n));
      if (head == std::string::npos && (head = text.find("\r\n\r\n")) != std::string::npos) {
        const std::size_t at = text.find("Content-Length: ");
        length = at == std::string::npos ? 0 : std::stoul(text.substr(at + 16));
        if (text.find("Expect: 100-continue") < head) send_all(connection, "HTTP/1.1 100 Continue\r\n\r\n");
      }
    }
    const ReceivedRequest request{
        .head = text.substr(0, head), .body = text.substr(head + 4), .number = request_count_++};
    {
      const std::lock_guard lock(mutex_);
      received_.push_back(request);
    }
    const ScriptedResponse response = answer_(request);
    if (response.fault == ScriptedResponse::Fault::kClose) return;
    const auto hang = [&] {
      // The client closes the connection in the end.
      while (!stopping_ && recv(connection, bytes, 1, MSG_DONTWAIT) != 0) usleep(2000);
    };
    if (response.fault == ScriptedResponse::Fault::kHang) return hang();
    const bool whole = response.fault == ScriptedResponse::Fault::kNone;
    send_all(connection, fmt::format("HTTP/1.1 {} X\r\nConnection: close\r\nContent-Length: {}\r\n{}\r\n{}",
                                     response.status, response.body.size() + (whole ? 0 : 100),
                                     response.headers, response.body));
    if (response.fault == ScriptedResponse::Fault::kStall) hang();
  }

  static void send_all(int connection, const std::string& text) {
    for (std::size_t at = 0; at < text.size();) {
      const ssize_t n = send(connection, text.data() + at, text.size() - at, MSG_NOSIGNAL);
      if (n <= 0) return;
      at += static_cast<std::size_t>(n);
    }
  }

  std::function<ScriptedResponse(const ReceivedRequest&)> answer_;
  int socket_ = -1, port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> request_count_ = 0;
  mutable std::mutex mutex_;
  std::vector<ReceivedRequest> received_;
  std::thread accepting_;
  std::vector<std::thread> threads_;
};

}  // namespace gabbro::chat
