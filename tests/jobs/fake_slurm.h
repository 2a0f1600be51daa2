// A Slurm that consists of one script (fake_slurm.py): tests say what happens to its jobs.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

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

  /// A task of an array, as the script keeps it.
  struct Row {
    std::string array, index, state, node, comment, reason, name, options;
  };
  /// Calls `change` for each task, and keeps what it changes.
  void for_each(const std::function<void(Row&)>& change) {
    std::vector<Row> all = jobs();
    std::ofstream file(folder_ / "jobs");
    for (Row& r : all) {
      change(r);
      for (const std::string* field : {&r.array, &r.index, &r.state, &r.node, &r.comment, &r.reason, &r.name})
        file << *field << '\t';
      file << r.options << '\n';
    }
  }
  void set_states(const std::string& state, const std::string& node = "") {
    for_each([&](Row& row) { row.state = state, row.node = node; });
  }
  /// Makes Slurm forget all jobs.
  void forget() { std::filesystem::remove(folder_ / "jobs"); }
  [[nodiscard]] std::vector<Row> jobs() const {
    std::vector<Row> out;
    std::ifstream file(folder_ / "jobs");
    for (std::string line; std::getline(file, line);) {
      std::istringstream fields(line);
      Row& r = out.emplace_back();
      for (std::string* field :
           {&r.array, &r.index, &r.state, &r.node, &r.comment, &r.reason, &r.name, &r.options})
        std::getline(fields, *field, '\t');
    }
    return out;
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
