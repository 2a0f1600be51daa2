// The screener's own process. It has no threads and no files, and each answer has a time limit.
#include <poll.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <iterator>
#include <new>
#include <sstream>
#include <string>

#include "campaign/preset.h"
#include "campaign/screener.h"
#include "campaign/screener_wire.h"
#include "evolve/screen.h"
#include "lang/parser.h"
#include "lang/printer.h"
#include "record/event.h"
#include "record/fields.h"
#include "sandbox/sandbox.h"
#include "zoo/library.h"

namespace gabbro::campaign {

// These functions list the fields of a message, for writing and for reading (record/fields.h).
template <class Io, record::Is<ScreenerRequest> A>
void fields(Io& io, A& a) {
  io("task", a.task);
  io("text", a.text);
  io("ancestor", a.ancestor);
  io("untrainable", a.untrainable);
  io("parent", a.parent);
  io("second_parent", a.second_parent);
}

template <class Io, record::Is<ScreenerReply> A>
void fields(Io& io, A& a) {
  io("code", a.error.code);
  io("message", a.error.message);
  io("hint", a.error.hint);
  io("line", a.error.at.line);
  io("column", a.error.at.column);
  io("texts", a.texts);
}

namespace {

template <class T>
std::string line_of(const T& x) {
  record::Writer io;
  fields(io, x);
  return io.text(/*indented=*/false);
}

template <class T>
Result<T> read_line(const std::string& line) {
  GABBRO_TRY(io, record::Reader::parse(line, "screener"));
  T out;
  fields(io, out);
  if (!io.error().code.empty()) return tl::unexpected(io.error());
  return out;
}

// Allows another `seconds` of processor time; after that the kernel ends this process.
void allow_time(double seconds) {
  rusage used{};
  rlimit limit{};
  if (getrusage(RUSAGE_SELF, &used) != 0 || getrlimit(RLIMIT_CPU, &limit) != 0) return;
  const auto now = static_cast<rlim_t>(used.ru_utime.tv_sec + used.ru_stime.tv_sec);
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, now + 1 + static_cast<rlim_t>(std::ceil(seconds)));
  setrlimit(RLIMIT_CPU, &limit);
}

// Exits if nobody is left to read an answer. It runs once a second, since a process in the middle of a long
// program does not notice the end of its input.
void exit_when_orphaned(int) {
  pollfd in{STDIN_FILENO, POLLIN, 0};
  if (poll(&in, 1, 0) > 0 && (in.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0) _exit(0);
}

// Writes a text to standard output. Returns false if nobody reads it.
bool write_all(const std::string& text) {
  for (std::size_t from = 0; from < text.size();) {
    const ssize_t count = write(STDOUT_FILENO, text.data() + from, text.size() - from);
    if (count < 0 && errno != EINTR) return false;
    from += count > 0 ? static_cast<std::size_t>(count) : 0;
  }
  return true;
}

// Answers requests (screener_wire.h). It knows the settings and the designs of its campaign from earlier
// requests.
class RequestHandler {
 public:
  /// Handles one request. Returns "" if it has no answer.
  std::string handle(const std::string& line) {
    const auto request = parse_request(line);
    if (!request) return to_line(ScreenerReply{.error = request.error()});
    switch (request->task) {
      case ScreenerTask::kSettings:
        return set_settings(parse_settings(request->text, "screener"));
      case ScreenerTask::kReset:
        population_ = evolve::Population(settings_);
        return "";
      case ScreenerTask::kAddDesign:
        return add_design(request->text);
      case ScreenerTask::kFindEqual:
        set_untrainable(request->untrainable);
        return find_equal(request->text);
      case ScreenerTask::kScreen:
        set_untrainable(request->untrainable);
        break;
      case ScreenerTask::kMeasure:
      case ScreenerTask::kAblations:
        break;
    }
    return judge_program(*request);
  }

 private:
  std::string judge_program(const ScreenerRequest& request) {
    const lang::ParseResult parsed = lang::parse(request.text);
    if (!parsed.errors.empty()) return to_line(ScreenerReply{.error = parsed.errors.front()});
    if (!context_error_.code.empty()) return to_line(ScreenerReply{.error = context_error_});
    if (request.task == ScreenerTask::kAblations) return ablate(parsed.program, request.ancestor);
    if (request.task == ScreenerTask::kMeasure)
      return reply_with(evolve::measure(parsed.program, settings_, zoo::library()));
    evolve::Offspring offspring;
    offspring.program = parsed.program;
    offspring.parent = request.parent;
    offspring.second_parent = request.second_parent;
    return reply_with(evolve::screen(offspring, population_, zoo::library()));
  }
  void set_untrainable(const std::string& ids) {
    std::istringstream in(ids);
    using Ids = std::istream_iterator<std::int64_t>;
    population_.set_untrainable({Ids(in), Ids()});
  }
  std::string set_settings(const Result<evolve::SearchSettings>& settings) {
    if (settings) settings_ = *settings;
    context_error_ = settings ? Error{} : settings.error();
    population_ = evolve::Population(settings_);
    return "";
  }
  std::string add_design(const std::string& text) {
    const auto event = record::parse_event("design", text);
    const auto added = event ? population_.apply(*event) : tl::unexpected(event.error());
    if (!added) context_error_ = added.error();
    return "";
  }
  std::string find_equal(const std::string& text) {
    const auto event = record::parse_event("design", text);
    if (!event) return to_line(ScreenerReply{.error = event.error()});
    if (!context_error_.code.empty()) return to_line(ScreenerReply{.error = context_error_});
    return to_line(ScreenerReply{
        .error = {},
        .texts = {evolve::find_equal(std::get<record::DesignCreated>(*event), population_, zoo::library())}});
  }
  static std::string reply_with(const Result<record::DesignCreated>& created) {
    if (!created) return to_line(ScreenerReply{.error = created.error()});
    return to_line(ScreenerReply{.error = {}, .texts = {record::to_json(record::Event(*created))}});
  }
  static std::string ablate(const lang::Program& program, const std::string& ancestor) {
    const lang::ParseResult older = lang::parse(ancestor);
    ScreenerReply out;
    for (const evolve::Ablation& a :
         evolve::ablations(program, ancestor.empty() ? nullptr : &older.program, zoo::library())) {
      out.texts.push_back(a.what);
      out.texts.push_back(lang::print(a.program));
    }
    return to_line(out);
  }

  evolve::SearchSettings settings_;
  evolve::Population population_{settings_};
  // An error in the settings or designs that were received. It answers all requests until new settings come.
  Error context_error_;
};

}  // namespace

std::string to_line(const ScreenerRequest& request) { return line_of(request); }
std::string to_line(const ScreenerReply& reply) { return line_of(reply); }
Result<ScreenerRequest> parse_request(const std::string& line) { return read_line<ScreenerRequest>(line); }
Result<ScreenerReply> parse_reply(const std::string& line) { return read_line<ScreenerReply>(line); }

int serve_screener(double cpu_seconds) {
  zoo::library();   // reads the library before any untrusted program is handled
  sandbox::seal();  // from here on this process can start no other
  struct sigaction on_alarm {};
  on_alarm.sa_handler = exit_when_orphaned;
  on_alarm.sa_flags = SA_RESTART;
  sigaction(SIGALRM, &on_alarm, nullptr);
  const itimerval every_second{{1, 0}, {1, 0}};
  setitimer(ITIMER_REAL, &every_second, nullptr);
  // Exhausted memory is reported by the exit code. Writing a core file, or unwinding through an untrusted
  // program, would be of no use.
  std::set_new_handler([] { _exit(kOutOfMemory); });
  RequestHandler handler;
  std::string text;
  char block[1 << 14];
  while (true) {
    const ssize_t count = read(STDIN_FILENO, block, sizeof block);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return 0;
    text.append(block, static_cast<std::size_t>(count));
    std::size_t from = 0;
    for (std::size_t end; (end = text.find('\n', from)) != std::string::npos; from = end + 1) {
      allow_time(cpu_seconds);
      if (!write_all(handler.handle(text.substr(from, end - from)))) return 0;
    }
    text.erase(0, from);
  }
}

}  // namespace gabbro::campaign
