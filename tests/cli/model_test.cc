// Tests of the agents with a real model: llama.cpp's server on the loopback address, from .venv-model (./dev
// model). With a model of this size they test that nothing breaks, not the quality of its ideas.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "agents/replies.h"
#include "chat/call_log.h"
#include "chat/client.h"
#include "chat/config.h"
#include "cli/run.h"
#include "lang/check.h"
#include "lang/gbnf.h"
#include "lang/gbnf_matcher.h"
#include "lang/parser.h"
#include "net/http.h"
#include "paths.h"
#include "zoo/library.h"

namespace gabbro {
namespace {

using nlohmann::json;

const std::string kSource = source_path(), kPython = kSource + "/.venv-model/bin/python";

int free_port() {
  const int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool ok = bind(s, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                  getsockname(s, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  close(s);
  return ok ? ntohs(address.sin_port) : 0;
}

/// A process that ends with this object, or with the test's process, however that ends.
class ModelServer {
 public:
  explicit ModelServer(const std::string& log) : port_(free_port()) {
    const std::string script = kSource + "/tools/model.py", port = std::to_string(port_);
    const pid_t parent = getpid();
    pid_ = fork();
    if (pid_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    if (!std::freopen(log.c_str(), "w", stdout) || dup2(fileno(stdout), 2) < 0) _exit(1);
    execl(kPython.c_str(), kPython.c_str(), script.c_str(), "serve", port.c_str(), nullptr);
    _exit(127);
  }
  ModelServer(const ModelServer&) = delete;
  ModelServer& operator=(const ModelServer&) = delete;
  ~ModelServer() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }

  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

  /// Waits up to two minutes for the server. Returns true if it has loaded its model and has not ended.
  bool is_healthy() {
    for (int i = 0; i < 240; ++i) {
      if (waitpid(pid_, nullptr, WNOHANG) != 0) {
        pid_ = -1;
        return false;
      }
      const auto response = net::exchange({.url = url() + "/health"});
      if (response && response->status == 200) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(500));
    }
    return false;
  }

 private:
  int port_;
  pid_t pid_;
};

class RealModel : public ::testing::Test {
 protected:
  void SetUp() override {
    if (access(kPython.c_str(), X_OK) != 0)
      GTEST_SKIP() << "needs a model and a server for it in .venv-model: ./dev model";
    dir_ = ::testing::TempDir() + "real_model";
    std::filesystem::remove_all(dir_);
    std::filesystem::create_directories(dir_);
    server_ = std::make_unique<ModelServer>(dir_ + "/server.log");
    ASSERT_TRUE(server_->is_healthy()) << "see " << dir_ << "/server.log";
  }

  // Writes an agents.toml for a server with the given value of `structured`, and returns the options that
  // name it. Replies are short, since the model is slow, and every rating passes.
  std::string write_config(const std::string& structured, const std::string& pipeline) {
    const std::string file = dir_ + "/" + structured + ".toml";
    std::ofstream(file)
        << "[[endpoint]]\nname = \"here\"\nurl = \"" << server_->url()
        << "/v1\"\ncalls = 1\nseconds = 600\nretries = 1\nstructured = \"" << structured
        << "\"\n[[model]]\nname = \"" << structured
        << "\"\nendpoint = \"here\"\nmodel = \"smollm2\"\ncontext = 8192\n"
           "[pipeline]\ntasks = 1\nreply_tokens = 384\nattempts = 1\nrepairs = 1\nqueries = 0\npass = 1\n"
           "observer_pass = 1\nmost_units = 1\nexamples = 1\n"
        << pipeline;
    return "--agents " + file + " --dir " + dir_ + "/" + structured + " ";
  }

  // Runs `gabbro propose`. Expects a design that passes the checker, or a failure with its cause and details.
  void propose(const std::string& options, const std::string& parent) {
    const Output out =
        gabbro("propose --json " + options + "--parent " + parent + " --mode mutation", "2>/dev/null");
    ASSERT_TRUE(out.code == 0 || out.code == 1) << out.code << out.text;
    const json report = json::parse(out.text);
    EXPECT_EQ(report["outcome"] == "design", out.code == 0);
    if (out.code == 0) {
      EXPECT_TRUE(lang::check(report["program"].get<std::string>(), zoo::library()).valid());
    } else {
      EXPECT_NE(report["cause"], "");
      EXPECT_NE(report["detail"], "");
      for (const char* fault : {"stopped", "chat down", "chat reply", "chat key", "store"})
        EXPECT_NE(report["cause"], fault) << report["detail"];
    }
    calls_ += report["calls"].get<std::int64_t>();
    tokens_ += report["input_tokens"].get<std::int64_t>() + report["output_tokens"].get<std::int64_t>();
  }

  // Expects that every call in the call log is settled, and that the reports counted the same calls and
  // tokens.
  void expect_calls_settled(const std::string& structured) {
    const auto log = chat::CallLog::read(dir_ + "/" + structured + "/calls.db");
    if (!log) {
      ADD_FAILURE() << log.error().message;
      return;
    }
    std::int64_t answered = 0;
    for (const chat::LoggedCall& call : (*log)->calls()) {
      EXPECT_EQ(call.state, chat::CallState::kSettled) << call.role;
      answered += call.error.code.empty() ? 1 : 0;
    }
    EXPECT_EQ(answered, calls_);
    EXPECT_EQ((*log)->spent().tokens, tokens_);
    calls_ = tokens_ = 0;
  }

  std::unique_ptr<ModelServer> server_;
  std::string dir_;
  std::int64_t calls_ = 0, tokens_ = 0;
};

TEST_F(RealModel, EveryProposalEndsInADesignOrAFailureSlow) {
  const std::string options = write_config("grammar", "planner = false\n");
  const Output tested = gabbro("agents test " + options.substr(0, options.find("--dir")));
  EXPECT_EQ(tested.code, 0) << tested.text;
  EXPECT_NE(tested.text.find("grammar"), std::string::npos) << tested.text;
  propose(options, "llama");
  expect_calls_settled("grammar");
  propose(write_config("none", ""), "gla");
  expect_calls_settled("none");
}

// A complete reply parses. A reply that was cut is the beginning of one that would parse.
TEST_F(RealModel, UnitRepliesFollowTheGrammarSlow) {
  write_config("grammar", "");
  const auto config = chat::load_config(dir_ + "/grammar.toml");
  ASSERT_TRUE(config) << config.error().message;
  const auto log = chat::CallLog::open(":memory:");
  ASSERT_TRUE(log);
  const auto client = chat::ChatClient::open(*config, **log);
  ASSERT_TRUE(client) << client.error().message;
  int parsed = 0, cut = 0;
  for (int i = 0; i < 4; ++i) {
    const std::vector<std::string> inputs =
        i < 2 ? std::vector<std::string>{"x"} : std::vector<std::string>{"x", "y"};
    chat::ChatRequest request;
    request.role = "coder";
    request.variant = i;
    request.messages = {
        {chat::MessageAuthor::kSystem, "Reply with one unit and nothing else."},
        {chat::MessageAuthor::kUser,
         "unit Scale(x: [t, D]) -> [t, D]:\n    return linear(silu(x), D)\n\nWrite a unit Mix like it."}};
    request.grammar = lang::gbnf_unit("Mix", inputs, {});
    request.max_tokens = 128;
    const auto reply = (*client)->ask(request);
    ASSERT_TRUE(reply) << reply.error().message;
    const lang::testing::Grammar grammar(request.grammar);
    const std::size_t refused = lang::testing::refused_at(grammar, reply->text);
    if (reply->was_cut) {
      ++cut;
      EXPECT_GE(refused, reply->text.size()) << reply->text;
      continue;
    }
    ++parsed;
    EXPECT_EQ(refused, std::string::npos) << reply->text;
    EXPECT_TRUE(lang::parse(agents::find_code(reply->text)).errors.empty()) << reply->text;
  }
  std::printf("%d unit replies parse, %d were cut\n", parsed, cut);
}

}  // namespace
}  // namespace gabbro
