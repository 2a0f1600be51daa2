// Writes the records on which the tests in a browser run (tests/web/browser.py).
#include <gtest/gtest.h>

#include <cstdlib>

#include "web/records.h"

namespace gabbro::web {
namespace {

TEST(BrowserRecords, WriteSlow) {
  const char* dir = std::getenv("GABBRO_WEB_RECORDS");
  if (!dir) GTEST_SKIP() << "GABBRO_WEB_RECORDS names no folder; tests/web/browser.py sets it";
  const std::string root = dir;
  write_record(campaign::whole_campaign(), root + "/whole");
  write_record(campaign::whole_campaign(0.0), root + "/undecided");
  write_record(hostile_campaign(), root + "/hostile");
  write_hostile_calls(root + "/hostile");
  const char* designs = std::getenv("GABBRO_WEB_DESIGNS");
  write_large_record(root + "/large", designs ? std::atoll(designs) : 100'000);
}

}  // namespace
}  // namespace gabbro::web
