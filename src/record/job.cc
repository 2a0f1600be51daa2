#include "record/job.h"

#include <fmt/format.h>

#include "record/fields.h"

namespace gabbro::record {

Result<std::string> job_of(const std::string& spec) {
  GABBRO_TRY(io, Reader::parse(spec, "spec"));
  std::string job = "train";
  if (io.has("job")) io("job", job);
  if (!io.error().code.empty()) return tl::unexpected(io.error());
  return job;
}

Result<JobEngine> engine_of(const std::string& spec) {
  GABBRO_TRY(io, Reader::parse(spec, "spec"));
  JobEngine out;
  io.optional("engine", out.engine);
  io.optional("device", out.device);
  io.optional("gpus", out.gpus);
  if (!io.error().code.empty()) return tl::unexpected(io.error());
  return out;
}

Result<bool> check_engine(const JobEngine& engine) {
  if (engine.engine == Engine::kPyTorch || (engine.device == "cpu" && engine.gpus == 1)) return true;
  return fail("device",
              engine.device != "cpu"
                  ? fmt::format("the cpu engine does not run on the device '{}'", engine.device)
                  : fmt::format("the cpu engine runs in one process, not in {}", engine.gpus),
              "choose the pytorch engine for it (--engine pytorch)");
}

Result<JobOutcome> outcome_of(const std::string& result) {
  GABBRO_TRY(io, Reader::parse(result, "result"));
  JobOutcome out;
  io("status", out.status);
  io("cause", out.cause);
  if (!io.error().code.empty()) return tl::unexpected(io.error());
  return out;
}

std::string failure(const std::string& job, const std::string& cause, Cause error) {
  Writer io;
  io("version", 1);
  io("job", job);
  io("status", Status::kFailed);
  io("cause", cause);
  io("error", error);
  return io.text(/*indented=*/true);
}

std::string failure(const std::string& job, const std::string& file, const Error& error) {
  return failure(job, format_error(file, error), cause_of(error));
}

Error inconsistent(const std::string& why) {
  return {"worker", "the worker left an inconsistent result: " + why, "", {}};
}

}  // namespace gabbro::record
