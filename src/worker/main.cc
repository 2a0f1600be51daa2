// gabbro-worker SPEC.json RESULT.json: runs one job (trial/job.h). Progress goes to standard output, as one
// JSON object per line. SIGINT and SIGTERM stop the job at its next step, with a checkpoint. The exit code is
// 0 if RESULT.json was written, whatever the result is, and 2 otherwise.
#include <fmt/core.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>

#include "base/files.h"
#include "exec/pytorch/python.h"
#include "exec/torch/model.h"
#include "record/job.h"
#include "sandbox/sandbox.h"
#include "trial/job.h"

namespace gabbro::worker {

namespace {

std::atomic<bool> g_stop{false};

// Prints progress every 250 ms, but all generated text and the last step at once.
class Reporter {
 public:
  bool operator()(const record::Progress& p) {
    const auto now = std::chrono::steady_clock::now();
    const bool last = p.step > 0 && p.step == p.steps;
    if (!last && p.text.empty() && now - last_ < std::chrono::milliseconds(250)) return !g_stop;
    last_ = now;
    const std::string line = to_line(p);
    std::fwrite(line.data(), 1, line.size(), stdout);
    std::fflush(stdout);
    return !g_stop;
  }

 private:
  std::chrono::steady_clock::time_point last_{};
};

// Starts the process that the engine "pytorch" needs. Returns null for other engines, and for an invalid
// spec, whose error its job reports.
Result<std::unique_ptr<exec::pytorch::Python>> start_python(const std::string& spec) {
  const auto engine = record::engine_of(spec);
  if (!engine || engine->engine != record::Engine::kPyTorch) return nullptr;
  return exec::pytorch::Python::start({.processes = engine->gpus, .device = engine->device});
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: gabbro-worker SPEC.json RESULT.json\n");
    return 2;
  }
  std::signal(SIGXFSZ, SIG_IGN);  // A write beyond the limit of file sizes then fails and is reported.
  exec::torch::keep_memory();
  for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, [](int) { g_stop = true; });
  const auto spec = read_file(argv[1], kMostText);
  // Python starts first, since nothing can be started once the process is sealed.
  const auto python = start_python(spec.value_or(""));
  sandbox::seal();
  // Without a spec, the kind of the job is unknown, so the failure is reported as that of a training.
  const std::string result = !spec     ? record::failure("train", argv[1], spec.error())
                             : !python ? record::failure("train", "--engine", python.error())
                                       : trial::run_job(*spec, Reporter(), python->get());
  if (replace_file(argv[2], result)) return 0;
  std::fprintf(stderr, "gabbro-worker: cannot write %s\n", argv[2]);
  return 2;
}

}  // namespace gabbro::worker

int main(int argc, char** argv) { return gabbro::worker::main(argc, argv); }
