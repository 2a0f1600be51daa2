// Tests of the judge in a process of its own: it gives the same answers as one in this process, and whatever
// a program does to it, it judges the next one.
#include "campaign/judge.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <thread>

#include "../lang/hostile.h"
#include "base/clock.h"
#include "lang/parser.h"
#include "lang/printer.h"
#include "paths.h"
#include "pretend.h"
#include "sandbox/sandbox.h"
#include "zoo/library.h"

namespace gabbro::campaign {
namespace {

JudgeProcessOptions real(const Folder& folder) {
  JudgeProcessOptions out;
  out.command = {gabbro_path(), "judge", "20"};
  out.log = folder / "judge.log";
  out.cpu_seconds = 20;
  out.address_bytes = std::uint64_t{2} << 30;
  return out;
}

JudgeProcessOptions script(const Folder& folder, const std::string& text, double seconds) {
  JudgeProcessOptions out = real(folder);
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

std::string said(const Result<record::DesignCreated>& r) {
  return r ? record::to_json(record::Event(*r))
           : r.error().code + ": " + r.error().message + " / " + r.error().hint;
}

std::vector<pid_t> children() {
  std::vector<pid_t> out;
  std::ifstream list("/proc/self/task/" + std::to_string(getpid()) + "/children");
  for (pid_t id = 0; list >> id;) out.push_back(id);
  return out;
}

bool eventually(const std::function<bool()>& holds) {
  for (int i = 0; i < 1500 && !holds(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  return holds();
}

bool alive(pid_t id) {
  std::ifstream file("/proc/" + std::to_string(id) + "/stat");
  std::string line;
  return std::getline(file, line) && line.substr(line.rfind(')') + 2, 1) != "Z";
}

// A population of the baselines, and the answers of judges to draws. Draws that pass enter the population.
struct Course {
  evolve::Population population{small_plan().settings};
  std::vector<std::string> words;
  void add(record::DesignCreated created) {
    created.id = static_cast<std::int64_t>(population.individuals().size()) + 1;
    EXPECT_TRUE(population.apply(created));
  }
  void follow(Judge& judge, int draws, const std::function<void(int)>& between) {
    for (const std::string& name : small_plan().settings.baselines) {
      auto created = judge.measure(*zoo::program(name + ".gab"), population.settings());
      words.push_back(said(created));
      ASSERT_TRUE(created) << created.error().message;
      created->origin = record::Origin::kBaseline;
      add(*created);
    }
    edit::CodeBook book(zoo::library());
    Random random(5);
    for (int i = 0; i < draws; ++i) {
      between(i);
      // The program goes through text, as it does to another process, since errors name its lines.
      evolve::Offspring child = offspring(lang::print(evolve::fresh(book, random).program));
      if (i % 5 == 4) child.program = *population.individual(1).program;  // equal to a known design
      const auto created = judge.screen(child, population);
      words.push_back(said(created));
      if (created) add(*created);
    }
    for (const evolve::Individual& i : population.individuals()) {
      const auto equal = judge.equal_known(i.created, population);
      words.push_back(equal ? *equal : equal.error().message);
    }
  }
};

void expect_same(const Course& a, const Course& b) {
  ASSERT_EQ(a.words.size(), b.words.size());
  for (std::size_t i = 0; i < a.words.size(); ++i) EXPECT_EQ(a.words[i], b.words[i]) << i;
}

TEST(Judge, SaysApartWhatItSaysHere) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  Course here, apart;
  here.follow(*judge_in_process(), 6, [](int) {});
  const auto judge = judge_process(real(folder));
  apart.follow(*judge, 6, [](int) {});
  expect_same(here, apart);
  EXPECT_EQ(children().size(), 1U) << "one process for all of them";
  EXPECT_EQ(judge->sandbox(), sandbox::machine().text());
  // The judge also accepts an earlier population, as used by agents that began before.
  Course early;
  early.follow(*judge_in_process(), 0, [](int) {});
  const evolve::Offspring last{*apart.population.individuals().back().program, {}, {}, 0, 0};
  EXPECT_EQ(said(judge->screen(last, early.population)),
            said(judge_in_process()->screen(last, early.population)));
  EXPECT_EQ(said(judge->screen(last, apart.population)),
            said(judge_in_process()->screen(last, apart.population)));
  const lang::Program& winner = *apart.population.individuals().back().program;
  const auto parts = judge->ablations(winner, nullptr), same = judge_in_process()->ablations(winner, nullptr);
  ASSERT_TRUE(parts && same);
  ASSERT_EQ(parts->size(), same->size());
  for (std::size_t i = 0; i < parts->size(); ++i) {
    EXPECT_EQ((*parts)[i].what, (*same)[i].what);
    EXPECT_EQ(lang::print((*parts)[i].program), lang::print((*same)[i].program));
  }
}

TEST(Judge, KnowsWhichDesignsAreUntrainable) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  const auto judge = judge_process(real(folder));
  const auto text = [](const std::string& sum) {
    return "unit Sum(x: [t, D]) -> [t, D]:\n    u = linear(x, D)\n" + sum +
           "\ndesign M:\n    stack = [2 * Block(mixer=Sum), RMSNorm]\n";
  };
  const evolve::Offspring factors = offspring(text(
                              "    return cumsum(u * exp(0.8 * position())) * exp(-0.8 * position())\n")),
                          decay = offspring(
                              text("    scan S: [D] = 0:\n        S = exp(-0.8) * S + u\n    return S\n"));
  Course course;
  const auto known = judge->screen(factors, course.population);
  ASSERT_TRUE(known) << known.error().message;
  course.add(*known);
  const auto verdict = [&](const evolve::Population& population) {
    const auto created = judge->screen(decay, population);
    return created ? "" : created.error().code;
  };
  EXPECT_EQ(verdict(course.population), "same function");
  const evolve::Population before = course.population;
  course.population.set_untrainable({1});
  EXPECT_EQ(verdict(course.population), "");
  EXPECT_EQ(verdict(before), "same function");
}

// A campaign that resumes its final comparison requests nothing else first.
TEST(Judge, IsAskedForAblationsFirst) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  const auto judge = judge_process(real(folder));
  const auto parts = judge->ablations(*zoo::program("llama.gab"), nullptr);
  ASSERT_TRUE(parts) << parts.error().message;
  ASSERT_FALSE(parts->empty());
  const auto settings = small_plan().settings;
  EXPECT_EQ(said(judge->measure((*parts)[0].program, settings)),
            said(judge_in_process()->measure((*parts)[0].program, settings)));
}

// Whatever kills the judge, nothing is lost, and no draw is refused because of it.
TEST(Judge, KilledAtAnyMomentItGoesOn) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  Course here, apart;
  here.follow(*judge_in_process(), 6, [](int) {});
  const auto judge = judge_process(real(folder));
  std::thread killer;
  apart.follow(*judge, 6, [&](int i) {
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

TEST(Judge, ProgramsThatAreTooMuchAreRefusedAndTheNextIsJudged) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  Course course;
  const auto judge = judge_process(real(folder));
  course.follow(*judge, 0, [](int) {});
  const std::string good =
      said(judge->screen(offspring(lang::print(*zoo::program("gla.gab"))), course.population));
  std::size_t refused = 0;
  for (const Hostile& h : hostile_designs()) {
    const double begun = seconds_now();
    const auto created = judge->screen(offspring(h.text), course.population);
    EXPECT_LT(seconds_now() - begun, 250) << h.kind;
    if (!created) {  // long formulas may be small designs
      const std::string& code = created.error().code;
      EXPECT_TRUE(code == "screen died" || code == "cost" || code == "size" || code == "no mixing" ||
                  code == "not finite" || code == "no gradient")
          << h.kind << ": " << said(created);
    }
    refused += created ? 0 : 1;
    // Measured as a user's design it may be small enough; the judge survives either way.
    const auto measured = judge->measure(offspring(h.text).program, course.population.settings());
    EXPECT_LT(seconds_now() - begun, 500) << h.kind << said(measured).substr(0, 200);
    EXPECT_EQ(said(judge->screen(offspring(lang::print(*zoo::program("gla.gab"))), course.population)), good);
  }
  EXPECT_GE(refused + 1, hostile_designs().size());
}

TEST(Judge, EveryWayToDieIsSaid) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  const evolve::Population none(small_plan().settings);
  const evolve::Offspring any = offspring(lang::print(*zoo::program("llama.gab")));
  for (const auto& [text, says] : std::vector<std::pair<std::string, std::string>>{
           {"exit 7", "ended with code 7"},
           {"exit 3", "ran out of memory"},
           {"kill -SEGV $$", "ended by signal 11"},
           {"kill -XCPU $$", "ran out of processor time"},
           {"read x; while true; do :; done", "more than the limit"},
           {"trap '' TERM; sleep 600", "more than the limit"},
           {"while true; do printf x; sleep 0.05; done", "more than the limit"},
           {"exec cat /dev/zero", "answered without end"}}) {
    const auto created =
        judge_process(script(folder, text, std::string(says) == "more than the limit" ? 0.2 : 20))
            ->screen(any, none);
    ASSERT_FALSE(created);
    EXPECT_EQ(created.error().code, "screen died") << text;
    EXPECT_NE(created.error().message.find(says), std::string::npos) << created.error().message;
  }
  const auto garbage = judge_process(script(folder, "echo nonsense; cat", 20))->screen(any, none);
  ASSERT_FALSE(garbage);
  EXPECT_EQ(garbage.error().code, "judge");
  EXPECT_TRUE(children().empty());
}

TEST(Judge, EndsWithWhoAsked) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t asker = fork();
  if (asker == 0) {
    const auto judge = judge_process(real(folder));
    const evolve::Population none(small_plan().settings);
    (void)judge->measure(*zoo::program("llama.gab"), none.settings());
    const auto all = children();
    const pid_t id = all.empty() ? 0 : all[0];
    if (write(ends[1], &id, sizeof id) < 0) _exit(1);
    pause();
    _exit(0);
  }
  pid_t id = 0;
  ASSERT_EQ(read(ends[0], &id, sizeof id), static_cast<ssize_t>(sizeof id));
  ASSERT_TRUE(alive(id));
  kill(asker, SIGKILL);
  waitpid(asker, nullptr, 0);
  EXPECT_TRUE(eventually([&] { return !alive(id); }));
  close(ends[0]), close(ends[1]);
}

TEST(Judge, WithoutAProgramItSaysSo) {
  SKIP_UNDER_SANITIZERS();
  JudgeProcessOptions options;
  options.command = {"/nowhere/gabbro", "judge", "1"};
  const auto created = judge_process(options)->measure(*zoo::program("llama.gab"), small_plan().settings);
  ASSERT_FALSE(created);
  EXPECT_EQ(created.error().code, "jobs");
}

}  // namespace
}  // namespace gabbro::campaign
