// Following a record that grows, and reading one that cannot be written.
#include "web/followed.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/lock.h"
#include "campaign/live.h"
#include "campaign/record_text.h"
#include "web/collection.h"
#include "web/records.h"

namespace gabbro::web {
namespace {

using campaign::TemporaryFolder;

TEST(Followed, AKilledCampaignIsSeenAtOnce) {
  const TemporaryFolder folder;
  write_record(campaign::whole_campaign(), folder.file("c"));
  const std::string locked = campaign::CampaignPaths{folder.file("c")}.lock_folder();
  std::optional<Lock> lock = std::move(*Lock::take(locked));
  if (!Lock::is_held(locked)) GTEST_SKIP() << "this kernel lists no locks";
  const evolve::Population population = campaign::whole_campaign().population();
  campaign::LiveFile file(folder.file("c"));
  file({.population = population, .phase = evolve::Phase::kSearch});
  Followed followed("c", folder.file("c"));
  followed.poll();
  EXPECT_TRUE(followed.is_running());
  EXPECT_TRUE(followed.live().has_value());
  lock.reset();  // as the kernel does with the locks of a process that is killed; the file stays
  EXPECT_TRUE(followed.poll());
  EXPECT_FALSE(followed.is_running());
  EXPECT_FALSE(followed.live().has_value());
}

TEST(RecordFollower, EqualsAReadingOfTheWholeRecordAtEveryEvent) {
  for (const auto& m : {campaign::whole_campaign(), hostile_campaign()}) {
    const TemporaryFolder folder;
    const std::string path = folder.file("campaign.db");
    auto writer = store::Store::open(path);
    ASSERT_TRUE(writer.has_value());
    ASSERT_TRUE(writer->append(m.events.front()).has_value());
    auto follower = campaign::RecordFollower::read(*store::Store::read(path));
    ASSERT_TRUE(follower.has_value());
    for (std::size_t k = 1; k < m.events.size(); ++k) {
      ASSERT_TRUE(writer->append(m.events[k]).has_value());
      const auto now = store::Store::read(path);
      const auto touched = follower->catch_up(*now);
      ASSERT_TRUE(touched.has_value()) << touched.error().message;
      if (k % 7 != 0 && k + 1 != m.events.size()) continue;
      EXPECT_EQ(campaign::status_json(follower->reading(), *now), *campaign::status_json(*now))
          << "event " << k + 1;
    }
    EXPECT_EQ(follower->events(), static_cast<std::int64_t>(m.events.size()));
    EXPECT_EQ(follower->reading().times.size(), follower->reading().population.trials().size());
  }
}

TEST(RecordFollower, NamesTheDesignsThatNewEventsConcern) {
  const TemporaryFolder folder;
  campaign::RecordBuilder m;
  m.session(true);
  const std::int64_t llama = m.baseline("llama");
  write_record(m, folder.file("r"));
  auto follower = campaign::RecordFollower::read(*store::Store::read(folder.file("r/campaign.db")));
  ASSERT_TRUE(follower.has_value());
  const std::size_t before = m.events.size();
  m.run(llama, 0, 7, 2.5, record::Purpose::kBaseline);
  const std::int64_t made = m.design("adaptive", {}, llama);
  {
    auto writer = store::Store::open(folder.file("r/campaign.db"));
    ASSERT_TRUE(
        writer->append({m.events.begin() + static_cast<std::ptrdiff_t>(before), m.events.end()}).has_value());
  }
  const auto touched = follower->catch_up(*store::Store::read(folder.file("r/campaign.db")));
  EXPECT_EQ(*touched, (std::set<std::int64_t>{llama, made}));
}

TEST(Followed, ReadsAFolderThatWasReplacedAnew) {
  const TemporaryFolder folder;
  campaign::RecordBuilder first, second;
  second.plan.secret = "drawn for another campaign";
  second.events.front() = record::CampaignBegun{
      .config = campaign::to_toml(second.plan), .seed = second.plan.seed, .version = "0.1.0"};
  first.baseline("llama"), first.baseline("mamba2");
  second.baseline("gpt2"), second.baseline("retnet"), second.baseline("gla");
  write_record(first, folder.file("r"));
  Followed followed("r", folder.file("r"));
  const auto names = [&] {
    followed.poll();
    std::string out;
    const auto answer = followed.answer("names", [&](const CampaignView& v) -> Result<std::string> {
      for (const evolve::Individual& i : v.reading.population.individuals()) out += i.created.name + " ";
      return out;
    });
    return answer ? *answer : answer.error().message;
  };
  EXPECT_EQ(names(), "llama mamba2 ");
  std::filesystem::remove_all(folder.file("r"));
  write_record(second, folder.file("r"));
  EXPECT_EQ(names(), "gpt2 retnet gla ");
  std::filesystem::remove_all(folder.file("r"));
  write_record(first, folder.file("r"));
  EXPECT_EQ(names(), "llama mamba2 ");
}

TEST(Lock, SaysThatItIsHeldWithoutTakingIt) {
  const TemporaryFolder folder;
  EXPECT_FALSE(Lock::is_held(folder.file("")));
  {
    const auto lock = Lock::take(folder.file(""));
    ASSERT_TRUE(lock.has_value());
    EXPECT_TRUE(Lock::is_held(folder.file("")));
  }
  EXPECT_FALSE(Lock::is_held(folder.file("")));
  EXPECT_FALSE(Lock::is_held("/nonexistent"));
}

TEST(Store, ReadsAFolderThatCannotBeWritten) {
  const TemporaryFolder folder;
  write_record(campaign::whole_campaign(), folder.file("whole"));
  std::filesystem::permissions(folder.file("whole/campaign.db"), std::filesystem::perms(0444));
  std::filesystem::permissions(folder.file("whole"), std::filesystem::perms(0555));
  const pid_t child = fork();
  if (child == 0) {
    // Root may write anything, so the child becomes somebody else.
    if (geteuid() == 0 && setuid(65534) != 0) _exit(2);
    const auto store = store::Store::read(folder.file("whole/campaign.db"));
    _exit(store && store->design_count() == 9 ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  std::filesystem::permissions(folder.file("whole"), std::filesystem::perms(0755));
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_FALSE(std::filesystem::exists(folder.file("whole/campaign.db-wal")));
}

TEST(Collection, FindsCampaignsBelowFoldersAndNamesThem) {
  const TemporaryFolder folder;
  for (const char* dir : {"a/b", "c d", ".hidden"}) write_record(campaign::RecordBuilder(), folder.file(dir));
  std::filesystem::create_directory_symlink(folder.file("a"), folder.file("link"));
  EXPECT_EQ(campaigns_below(folder.file(""), 5),
            (std::vector<std::string>{folder.file("a/b"), folder.file("c d")}));
  EXPECT_EQ(campaigns_below(folder.file(""), 1), (std::vector<std::string>{folder.file("c d")}));
  EXPECT_EQ(key_of(folder.file(""), folder.file("a/b")), "a-b");
  EXPECT_EQ(key_of(folder.file(""), folder.file("c d")), "c-d");
  EXPECT_EQ(key_of(folder.file("c d"), folder.file("c d")), "c-d");
}

}  // namespace
}  // namespace gabbro::web
