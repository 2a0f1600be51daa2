// The judge's own process. It has no threads and no files, and each answer has a time limit.
#include <poll.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <new>
#include <string>

#include "campaign/judge.h"
#include "campaign/judge_wire.h"
#include "campaign/preset.h"
#include "evolve/screen.h"
#include "lang/parser.h"
#include "lang/printer.h"
#include "record/event.h"
#include "record/fields.h"
#include "sandbox/sandbox.h"
#include "zoo/library.h"

namespace gabbro::campaign {

template <class Io, record::Is<JudgeRequest> A>
void fields(Io& io, A& a) {
  io("what", a.what);
  io("text", a.text);
  io("more", a.more);
  io("op", a.op);
  io("parent", a.parent);
  io("second_parent", a.second_parent);
}

template <class Io, record::Is<JudgeReply> A>
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
  return io.text(false);
}

template <class T>
Result<T> read_line(const std::string& line) {
  GABBRO_TRY(io, record::Reader::parse(line, "judge"));
  T out;
  fields(io, out);
  if (!io.error().code.empty()) return tl::unexpected(io.error());
  return out;
}

// Allows another `seconds` of processor time; after that the kernel ends this process.
void allow_time(double seconds) {
  rusage used{};
  rlimit most{};
  if (getrusage(RUSAGE_SELF, &used) != 0 || getrlimit(RLIMIT_CPU, &most) != 0) return;
  const auto now = static_cast<rlim_t>(used.ru_utime.tv_sec + used.ru_stime.tv_sec);
  most.rlim_cur = std::min<rlim_t>(most.rlim_max, now + 1 + static_cast<rlim_t>(std::ceil(seconds)));
  setrlimit(RLIMIT_CPU, &most);
}

// Exits if nobody is left to read an answer. It runs once a second, since a process in the middle of a long
// program does not notice the end of its input.
void leave_when_alone(int) {
  pollfd in{STDIN_FILENO, POLLIN, 0};
  if (poll(&in, 1, 0) > 0 && (in.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0) _exit(0);
}

bool say(const std::string& text) {
  for (std::size_t from = 0; from < text.size();) {
    const ssize_t wrote = write(STDOUT_FILENO, text.data() + from, text.size() - from);
    if (wrote < 0 && errno != EINTR) return false;
    from += wrote > 0 ? static_cast<std::size_t>(wrote) : 0;
  }
  return true;
}

class Server {
 public:
  /// Handles one request. Returns "" if it has no answer.
  std::string take(const std::string& line) {
    const auto ask = parse_ask(line);
    if (!ask) return to_line(JudgeReply{ask.error(), {}});
    if (ask->what == "settings") return keep(parse_settings(ask->text, "judge"));
    if (ask->what == "forget") {
      population_ = evolve::Population(settings_);
      return "";
    }
    if (ask->what == "known") return learn(ask->text);
    if (ask->what == "equal") return equal(ask->text);
    const lang::ParseResult parsed = lang::parse(ask->text);
    if (!parsed.errors.empty()) return to_line(JudgeReply{parsed.errors.front(), {}});
    if (!trouble_.code.empty()) return to_line(JudgeReply{trouble_, {}});
    if (ask->what == "ablations") return ablate(parsed.program, ask->more);
    if (ask->what == "measure") return design(evolve::measure(parsed.program, settings_, zoo::library()));
    evolve::Offspring offspring;
    offspring.program = parsed.program;
    offspring.op = ask->op;
    offspring.parent = ask->parent;
    offspring.second_parent = ask->second_parent;
    return design(evolve::screen(offspring, population_, zoo::library()));
  }

 private:
  std::string keep(const Result<evolve::SearchSettings>& settings) {
    if (settings) settings_ = *settings;
    trouble_ = settings ? Error{} : settings.error();
    population_ = evolve::Population(settings_);
    return "";
  }
  std::string learn(const std::string& text) {
    const auto event = record::parse_event("design", text);
    const auto known = event ? population_.apply(*event) : tl::unexpected(event.error());
    if (!known) trouble_ = known.error();
    return "";
  }
  std::string equal(const std::string& text) {
    const auto event = record::parse_event("design", text);
    if (!event) return to_line(JudgeReply{event.error(), {}});
    if (!trouble_.code.empty()) return to_line(JudgeReply{trouble_, {}});
    return to_line(JudgeReply{
        {}, {evolve::equal_known(std::get<record::DesignCreated>(*event), population_, zoo::library())}});
  }
  static std::string design(const Result<record::DesignCreated>& created) {
    if (!created) return to_line(JudgeReply{created.error(), {}});
    return to_line(JudgeReply{{}, {record::to_json(record::Event(*created))}});
  }
  static std::string ablate(const lang::Program& program, const std::string& ancestor) {
    const lang::ParseResult older = lang::parse(ancestor);
    JudgeReply out;
    for (const evolve::Ablation& a :
         evolve::ablations(program, ancestor.empty() ? nullptr : &older.program, zoo::library())) {
      out.texts.push_back(a.what);
      out.texts.push_back(lang::print(a.program));
    }
    return to_line(out);
  }

  evolve::SearchSettings settings_;
  evolve::Population population_{settings_};
  // An error in the settings or designs that were received. All answers after it are this error.
  Error trouble_;
};

}  // namespace

std::string to_line(const JudgeRequest& ask) { return line_of(ask); }
std::string to_line(const JudgeReply& answer) { return line_of(answer); }
Result<JudgeRequest> parse_ask(const std::string& line) { return read_line<JudgeRequest>(line); }
Result<JudgeReply> parse_answer(const std::string& line) { return read_line<JudgeReply>(line); }

int serve_judge(double seconds) {
  zoo::library();  // before any untrusted program is handled
  sandbox::seal();
  struct sigaction alone {};
  alone.sa_handler = leave_when_alone;
  alone.sa_flags = SA_RESTART;
  sigaction(SIGALRM, &alone, nullptr);
  const itimerval second{{1, 0}, {1, 0}};
  setitimer(ITIMER_REAL, &second, nullptr);
  // Exhausted memory is reported by the exit code. Writing a core file, or unwinding through an untrusted
  // program, would be of no use.
  std::set_new_handler([] { _exit(kOutOfMemory); });
  Server server;
  std::string text;
  char block[1 << 14];
  while (true) {
    const ssize_t got = read(STDIN_FILENO, block, sizeof block);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return 0;
    text.append(block, static_cast<std::size_t>(got));
    std::size_t from = 0;
    for (std::size_t end; (end = text.find('\n', from)) != std::string::npos; from = end + 1) {
      allow_time(seconds);
      if (!say(server.take(text.substr(from, end - from)))) return 0;
    }
    text.erase(0, from);
  }
}

}  // namespace gabbro::campaign
