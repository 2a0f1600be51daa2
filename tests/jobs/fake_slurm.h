// A Slurm that consists of one script (fake_slurm.py): tests say what happens to its jobs.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "paths.h"

namespace gabbro::jobs {

class FakeSlurm {
 public:
  /// Puts the programs into PATH. `folder` must exist.
  explicit FakeSlurm(const std::filesystem::path& folder) : folder_(folder) {
    std::filesystem::create_directories(folder_ / "bin");
    for (const char* program : {"sbatch", "squeue", "scancel"})
      std::filesystem::create_symlink(source_path("/tests/jobs/fake_slurm.py"), folder_ / "bin" / program);
    path_ = std::getenv("PATH");
    setenv("PATH", ((folder_ / "bin").string() + ":" + path_).c_str(), 1);
    setenv("FAKE_SLURM", folder_.c_str(), 1);
  }
  ~FakeSlurm() {
    setenv("PATH", path_.c_str(), 1);
    unsetenv("FAKE_SLURM");
  }
  FakeSlurm(const FakeSlurm&) = delete;
  FakeSlurm& operator=(const FakeSlurm&) = delete;

  /// Calls `change` for each job, and keeps what it changes.
  void for_each(const std::function<void(nlohmann::json&)>& change) {
    nlohmann::json all = jobs();
    for (nlohmann::json& job : all) change(job);
    std::ofstream(folder_ / "jobs.json") << all;
  }
  void set_states(const std::string& state, const std::string& node = "") {
    for_each([&](nlohmann::json& job) { job["state"] = state, job["node"] = node; });
  }
  /// Makes Slurm forget all jobs.
  void forget() { std::filesystem::remove(folder_ / "jobs.json"); }
  [[nodiscard]] nlohmann::json jobs() const {
    std::ifstream file(folder_ / "jobs.json");
    return file ? nlohmann::json::parse(file) : nlohmann::json::array();
  }
  /// Sets or removes one of the switches of the script ("down", "lost", "refuse").
  void set(const std::string& name, const std::string& text = "yes") {
    std::ofstream(folder_ / name) << text;
  }
  void unset(const std::string& name) { std::filesystem::remove(folder_ / name); }
  /// Returns the number of calls of a program whose arguments contain `part`.
  [[nodiscard]] int calls(const std::string& program, const std::string& part = "") const {
    std::ifstream file(folder_ / "calls");
    int count = 0;
    for (std::string line; std::getline(file, line);)
      count += line.starts_with(program) && line.find(part) != std::string::npos;
    return count;
  }

 private:
  std::filesystem::path folder_;
  std::string path_;
};

}  // namespace gabbro::jobs
