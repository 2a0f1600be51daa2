// Tests of the screener in a process of its own: it gives the same answers as one in this process, and it
// judges the next program whatever a program does to it.
#include "campaign/screener.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <array>

#include <fstream>
#include <functional>
#include <thread>

#include "../lang/hostile.h"
#include "base/clock.h"
#include "fake_executor.h"
#include "lang/parser.h"
#include "lang/printer.h"
#include "paths.h"
#include "sandbox/sandbox.h"
#include "zoo/library.h"

namespace gabbro::campaign {
namespace {

ScreenerOptions real_options(const Folder& folder) {
  ScreenerOptions out;
  out.command = {gabbro_path(), "screener", "20"};
  out.log = folder / "screener.log";
  out.cpu_seconds = 20;
  out.address_bytes = std::uint64_t{2} << 30;
  return out;
}

ScreenerOptions script_options(const Folder& folder, const std::string& text, double seconds) {
  ScreenerOptions out = real_options(folder);
  out.command = {"/bin/sh", "-c", text};
  out.cpu_seconds = seconds;
  return out;
}

evolve::Offspring offspring(const std::string& text) {
  lang::ParseResult parsed = lang::parse(text);
  EXPECT_TRUE(parsed.errors.empty());
  evolve::Offspring out;
  out.program = std::move(parsed.program);
  return out;
}

std::string text_of(const Result<record::DesignCreated>& r) {
  return r ? record::to_json(record::Event(*r))
           : r.error().code + ": " + r.error().message + " / " + r.error().hint;
}

std::vector<pid_t> children() {
  std::vector<pid_t> out;
  std::ifstream list("/proc/self/task/" + std::to_string(getpid()) + "/children");
  for (pid_t id = 0; list >> id;) out.push_back(id);
  return out;
}

// Returns true if `holds` returns true within 15 seconds.
bool eventually(const std::function<bool()>& holds) {
  for (int i = 0; i < 1500 && !holds(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  return holds();
}

bool is_alive(pid_t id) {
  std::ifstream file("/proc/" + std::to_string(id) + "/stat");
  std::string line;
  return std::getline(file, line) && line.substr(line.rfind(')') + 2, 1) != "Z";
}

// The answers of a screener to the baselines and to draws. Designs that pass enter the population.
struct ScreenerSession {
  evolve::Population population{small_plan().settings};
  std::vector<std::string> answers;
  void add(record::DesignCreated created) {
    created.id = static_cast<std::int64_t>(population.individuals().size()) + 1;
    EXPECT_TRUE(population.apply(created));
  }
  /// Calls `before_draw` with the number of each draw.
  void run(Screener& screener, int draws, const std::function<void(int)>& before_draw) {
    for (const std::string& name : small_plan().settings.baselines) {
      auto created = screener.measure(*zoo::program(name + ".gab"), population.settings());
      answers.push_back(text_of(created));
      ASSERT_TRUE(created) << created.error().message;
      created->origin = record::Origin::kBaseline;
      add(*created);
    }
    edit::UnitCatalogue catalogue(zoo::library());
    Random random(5);
    for (int i = 0; i < draws; ++i) {
      before_draw(i);
      // The program goes through text, as it does to another process, since errors name its lines.
      evolve::Offspring child = offspring(lang::print(evolve::fresh_offspring(catalogue, random).program));
      if (i % 5 == 4) child.program = *population.individual(1).program;  // equal to a known design
      const auto created = screener.screen(child, population);
      answers.push_back(text_of(created));
      if (created) add(*created);
    }
    for (const evolve::Individual& i : population.individuals()) {
      const auto equal = screener.find_equal(i.created, population);
      answers.push_back(equal ? *equal : equal.error().message);
    }
  }
};

void expect_same(const ScreenerSession& a, const ScreenerSession& b) {
  ASSERT_EQ(a.answers.size(), b.answers.size());
  for (std::size_t i = 0; i < a.answers.size(); ++i) EXPECT_EQ(a.answers[i], b.answers[i]) << i;
}

TEST(Screener, AnswersAsOneInThisProcess) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  ScreenerSession here, apart;
  here.run(*screener_in_process(), 6, [](int) {});
  const auto screener = screener_process(real_options(folder));
  apart.run(*screener, 6, [](int) {});
  expect_same(here, apart);
  EXPECT_EQ(children().size(), 1U) << "one process for all of them";
  EXPECT_EQ(screener->sandbox(), sandbox::machine().text());
  // The screener also accepts an earlier population, as used by agents that began before.
  ScreenerSession early;
  early.run(*screener_in_process(), 0, [](int) {});
  const evolve::Offspring last{.program = *apart.population.individuals().back().program};
  EXPECT_EQ(text_of(screener->screen(last, early.population)),
            text_of(screener_in_process()->screen(last, early.population)));
  EXPECT_EQ(text_of(screener->screen(last, apart.population)),
            text_of(screener_in_process()->screen(last, apart.population)));
  const lang::Program& winner = *apart.population.individuals().back().program;
  const auto parts = screener->ablations(winner, nullptr),
             same = screener_in_process()->ablations(winner, nullptr);
  ASSERT_TRUE(parts && same);
  ASSERT_EQ(parts->size(), same->size());
  for (std::size_t i = 0; i < parts->size(); ++i) {
    EXPECT_EQ((*parts)[i].what, (*same)[i].what);
    EXPECT_EQ(lang::print((*parts)[i].program), lang::print((*same)[i].program));
  }
}

TEST(Screener, KnowsWhichDesignsAreUntrainable) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  const auto screener = screener_process(real_options(folder));
  const auto text = [](const std::string& sum) {
    return "unit Sum(x: [t, D]) -> [t, D]:\n    u = linear(x, D)\n" + sum +
           "\ndesign M:\n    stack = [2 * Block(mixer=Sum), RMSNorm]\n";
  };
  const evolve::Offspring factors = offspring(text(
                              "    return cumsum(u * exp(0.8 * position())) * exp(-0.8 * position())\n")),
                          decay = offspring(
                              text("    scan S: [D] = 0:\n        S = exp(-0.8) * S + u\n    return S\n"));
  ScreenerSession session;
  const auto known = screener->screen(factors, session.population);
  ASSERT_TRUE(known) << known.error().message;
  session.add(*known);
  const auto verdict = [&](const evolve::Population& population) {
    const auto created = screener->screen(decay, population);
    return created ? "" : created.error().code;
  };
  EXPECT_EQ(verdict(session.population), "same function");
  const evolve::Population before = session.population;
  session.population.set_untrainable({1});
  EXPECT_EQ(verdict(session.population), "");
  EXPECT_EQ(verdict(before), "same function");
}

// A campaign that resumes its final comparison may request ablations before anything else.
TEST(Screener, AnswersARequestForAblationsFirst) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  const auto screener = screener_process(real_options(folder));
  const auto parts = screener->ablations(*zoo::program("llama.gab"), nullptr);
  ASSERT_TRUE(parts) << parts.error().message;
  ASSERT_FALSE(parts->empty());
  const auto settings = small_plan().settings;
  EXPECT_EQ(text_of(screener->measure((*parts)[0].program, settings)),
            text_of(screener_in_process()->measure((*parts)[0].program, settings)));
}

// A kill of the screener loses nothing, and no draw is refused because of it.
TEST(Screener, ContinuesWhenKilledAtAnyMoment) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  ScreenerSession here, apart;
  here.run(*screener_in_process(), 6, [](int) {});
  const auto screener = screener_process(real_options(folder));
  std::thread killer;
  apart.run(*screener, 6, [&](int i) {
    if (killer.joinable()) killer.join();
    const auto all = children();
    if (i % 3 != 0 || all.size() != 1) return;
    if (i % 2 == 0)
      kill(all[0], SIGKILL);
    else
      killer = std::thread([id = all[0]] {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        kill(id, SIGKILL);
      });
  });
  if (killer.joinable()) killer.join();
  expect_same(here, apart);
}

TEST(Screener, RefusesHostileProgramsAndJudgesTheNext) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  ScreenerSession session;
  const auto screener = screener_process(real_options(folder));
  session.run(*screener, 0, [](int) {});
  const std::string good =
      text_of(screener->screen(offspring(lang::print(*zoo::program("gla.gab"))), session.population));
  std::size_t refused = 0;
  for (const Hostile& h : hostile_designs()) {
    const double begun = seconds_now();
    const auto created = screener->screen(offspring(h.text), session.population);
    EXPECT_LT(seconds_now() - begun, 250) << h.kind;
    if (!created) {  // long formulas may be small designs
      const std::string& code = created.error().code;
      EXPECT_TRUE(code == "screen died" || code == "cost" || code == "size" || code == "no mixing" ||
                  code == "not finite" || code == "no gradient")
          << h.kind << ": " << text_of(created);
    }
    refused += created ? 0 : 1;
    // Measured as a user's design it may be small enough; the screener survives either way.
    const auto measured = screener->measure(offspring(h.text).program, session.population.settings());
    EXPECT_LT(seconds_now() - begun, 500) << h.kind << text_of(measured).substr(0, 200);
    EXPECT_EQ(text_of(screener->screen(offspring(lang::print(*zoo::program("gla.gab"))), session.population)),
              good);
  }
  EXPECT_GE(refused + 1, hostile_designs().size());
}

TEST(Screener, ReportsEveryWayToDie) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  const evolve::Population none(small_plan().settings);
  const evolve::Offspring any = offspring(lang::print(*zoo::program("llama.gab")));
  // Scripts that begin with this answer the small program of the screener's last try, and die over others.
  const std::string handles_small =
      "read x; case \"$x\" in *Small*) echo "
      "'{\"code\":\"\",\"message\":\"\",\"hint\":\"\",\"line\":0,\"column\":0,\"texts\":[]}'; read y;; "
      "esac; ";
  for (const auto& [text, says, code] : std::vector<std::array<std::string, 3>>{
           {"exit 7", "no program can be screened: exited with code 7", "screener"},
           {handles_small + "exit 7", "exited with code 7", "screen died"},
           {"exit 3", "ran out of memory", "screen died"},
           {"kill -SEGV $$", "no program can be screened: was terminated by signal 11", "screener"},
           {handles_small + "kill -SEGV $$", "was terminated by signal 11", "screen died"},
           {"kill -XCPU $$", "ran out of processor time", "screen died"},
           // On a busy machine it is not known whose fault that is.
           {"read x; while true; do :; done", "more than the limit", ""},
           {"trap '' TERM; sleep 600", "more than the limit", "screener"},
           {handles_small + "trap '' TERM; sleep 600", "more than the limit", "screen died"},
           {handles_small + "echo nonsense; cat", "cannot be read", "screen died"},
           {handles_small +
                "echo '{\"code\":\"screener\",\"message\":\"\",\"hint\":\"\",\"line\":0,\"column\":0,"
                "\"texts\":[]}'; cat",
            "cannot be read", "screen died"},
           {handles_small + "echo '{\"code\":\"\",\"message\":\"\",\"hint\":\"\",\"line\":0,\"column\":0,"
                            "\"texts\":[]}'; cat",
            "has no design", "screen died"},
           {"exec cat /dev/zero", "answered without end", "screen died"}}) {
    const auto created =
        screener_process(script_options(folder, text, says == "more than the limit" ? 0.2 : 20))
            ->screen(any, none);
    ASSERT_FALSE(created);
    if (code.empty())
      EXPECT_TRUE(created.error().code == "screen died" || created.error().code == "screener") << text;
    else
      EXPECT_EQ(created.error().code, code) << text;
    EXPECT_NE(created.error().message.find(says), std::string::npos) << created.error().message;
  }
  const auto garbage = screener_process(script_options(folder, "echo nonsense; cat", 20))->screen(any, none);
  ASSERT_FALSE(garbage);
  EXPECT_EQ(garbage.error().code, "screener");
  EXPECT_TRUE(children().empty());
}

TEST(Screener, EndsWithItsParent) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t parent = fork();
  if (parent == 0) {
    const auto screener = screener_process(real_options(folder));
    const evolve::Population none(small_plan().settings);
    (void)screener->measure(*zoo::program("llama.gab"), none.settings());
    const auto all = children();
    const pid_t id = all.empty() ? 0 : all[0];
    if (write(ends[1], &id, sizeof id) < 0) _exit(1);
    pause();
    _exit(0);
  }
  pid_t id = 0;
  ASSERT_EQ(read(ends[0], &id, sizeof id), static_cast<ssize_t>(sizeof id));
  ASSERT_TRUE(is_alive(id));
  kill(parent, SIGKILL);
  waitpid(parent, nullptr, 0);
  EXPECT_TRUE(eventually([&] { return !is_alive(id); }));
  close(ends[0]), close(ends[1]);
}

TEST(Screener, ReportsAMissingProgramFile) {
  SKIP_UNDER_SANITIZERS();
  ScreenerOptions options;
  options.command = {"/nowhere/gabbro", "screener", "1"};
  const auto created = screener_process(options)->measure(*zoo::program("llama.gab"), small_plan().settings);
  ASSERT_FALSE(created);
  EXPECT_EQ(created.error().code, "screener") << "no program is judged by it";
}

}  // namespace
}  // namespace gabbro::campaign
