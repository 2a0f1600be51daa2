// gabbro-worker SPEC.json RESULT.json: runs one trial. Progress goes to standard output, one JSON object a line; SIGINT and SIGTERM stop
// at the next step, with a checkpoint. Exit 0 when RESULT.json was written, whatever it says; 2 otherwise.
#include <fmt/core.h>
#include <malloc.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>

#include "trial/trial.h"

namespace gabbro::worker {

namespace {

std::atomic<bool> g_stop{false};

bool write_file(const std::string& path, const std::string& text) {
  const std::string temporary = fmt::format("{}.tmp{}", path, getpid());
  std::FILE* file = std::fopen(temporary.c_str(), "wb");
  if (!file) return false;
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size() &&
                       std::fflush(file) == 0 && fsync(fileno(file)) == 0;
  const bool closed = std::fclose(file) == 0;
  if (written && closed && std::rename(temporary.c_str(), path.c_str()) == 0) return true;
  std::remove(temporary.c_str());
  return false;
}

// At most some lines a second.
class Reporter {
 public:
  bool operator()(const trial::Progress& p) {
    const auto now = std::chrono::steady_clock::now();
    if (p.step < p.steps && now - last_ < std::chrono::milliseconds(250)) return !g_stop;
    last_ = now;
    std::printf(
        "{\"stage\": \"%s\", \"step\": %lld, \"steps\": %lld, \"tokens\": %lld, \"loss\": %.6g, "
        "\"tokens_per_second\": %.6g, \"share\": %.4f}\n",
        p.stage.c_str(), static_cast<long long>(p.step), static_cast<long long>(p.steps),
        static_cast<long long>(p.tokens), p.loss, p.tokens_per_second, p.share);
    std::fflush(stdout);
    return !g_stop;
  }

 private:
  std::chrono::steady_clock::time_point last_{};
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: gabbro-worker SPEC.json RESULT.json\n");
    return 2;
  }
#ifdef __GLIBC__
  // Large tensors come and go with every step: keep their memory instead of handing it back to the system each time.
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
#endif
  for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, [](int) { g_stop = true; });
  std::ifstream file(argv[1], std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  record::TrialResult result;
  const auto spec = record::parse_spec(text);
  if (!file.good() && text.empty())
    result.cause = std::string("cannot read ") + argv[1];
  else if (!spec)
    result.cause = format_error(argv[1], spec.error());
  else
    result = trial::run(*spec, Reporter());
  if (write_file(argv[2], record::to_json(result))) return 0;
  std::fprintf(stderr, "gabbro-worker: cannot write %s\n", argv[2]);
  return 2;
}

}  // namespace gabbro::worker

int main(int argc, char** argv) { return gabbro::worker::main(argc, argv); }
