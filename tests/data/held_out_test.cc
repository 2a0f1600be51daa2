// Tests of the recognition of held-out text: copies in other layouts are found, and documents that only
// resemble it are kept.
#include "data/held_out.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <functional>
#include <tuple>

#include "base/random.h"
#include "data/division.h"

namespace gabbro::data {
namespace {

std::string random_word(Random& random) {
  static const std::vector<std::string> kSyllables{"ka", "to", "mi", "re", "son", "ul", "fa",
                                                   "be", "lo", "di", "qu", "ez",  "ny", "gra"};
  std::string out;
  for (std::int64_t n = 1 + random.below(4); n > 0; --n) out += random.pick(kSyllables);
  return out;
}

std::string random_text(Random& random, int words) {
  std::string out;
  for (int i = 0; i < words; ++i) out += random_word(random) + " ";
  return out;
}

// Returns a text in lines of `width` characters; f(line, number from 0) writes each.
std::string in_lines(const std::string& text, std::size_t width,
                     const std::function<std::string(const std::string&, int)>& f) {
  std::string out;
  int number = 0;
  for (std::size_t from = 0; from < text.size(); from += width) out += f(text.substr(from, width), number++);
  return out;
}

Overlap overlap_of(const std::vector<std::string>& held_out, const std::string& document,
                   std::size_t max_windows = WindowTable::kMaxEntries) {
  HeldOutText text(max_windows);
  for (const std::string& h : held_out) text.add(comparable_text(h));
  text.finish();
  return text.find(comparable_text(document)).overlap;
}

using Table = std::vector<std::vector<int>>;

std::string rows(const Table& table, const std::function<std::string(const std::vector<int>&, int)>& f) {
  std::string out;
  int number = 0;
  for (const std::vector<int>& row : table) out += f(row, number++);
  return out;
}

std::string joined(const std::vector<int>& row, const std::string& between, const std::string& after = "") {
  std::string out;
  for (std::size_t i = 0; i < row.size(); ++i) out += (i > 0 ? between : "") + std::to_string(row[i]) + after;
  return out;
}

Table random_table(Random& random, std::size_t lines, std::size_t columns, int least, int most) {
  Table out(lines, std::vector<int>(columns));
  for (std::vector<int>& row : out)
    for (int& value : row) value = static_cast<int>(least + random.below(most - least + 1));
  return out;
}

TEST(HeldOut, CopiesWithLettersInEveryLineAreRecognised) {
  Random random(1);
  const std::string text = random_text(random, 400), other = random_text(random, 1000);
  const std::vector<std::string> chords{"G", "Am", "C", "D7", "Em", "F#m", "Cmaj7", "Dsus4"};
  using Line = std::function<std::string(const std::string&, int)>;
  for (const auto
           & [what,
              width, line] : std::vector<std::tuple<std::string,
                                                    std::size_t, Line>>{{"segments of JSON", 36,
                                                                         [](const auto&l, int i) {
                                                                           return fmt::format(
                                                                               "{{\"start\": {}.0, \"end\": "
                                                                               "{}.9, \"text\": \"{}\"}}, ",
                                                                               i, i, l);
                                                                         }},
                                                                        {"segments of Whisper", 42,
                                                                         [&](const auto&l, int i) {
                                                                           return fmt::format(
                                                                               "{{\"id\": {}, \"seek\": 0, "
                                                                               "\"start\": {}.0, \"text\": "
                                                                               "\"{}\", \"tokens\": [{}, "
                                                                               "{}], \"temperature\": 0.0, "
                                                                               "\"avg_logprob\": -0.25, "
                                                                               "\"no_speech_prob\": 0.01}}, ",
                                                                               i, 2 * i, l,
                                                                               random.below(50'000),
                                                                               random.below(50'000));
                                                                         }},
                                                                        {"Advanced SubStation Alpha", 36,
                                                                         [](const auto&l, int i) {
                                                                           return fmt::format(
                                                                               "Dialogue: "
                                                                               "0,0:{:02}:{:02}.00,0:{:02}:{:"
                                                                               "02}.90,Default,,0,0,0,,{}\n",
                                                                               i / 60, i % 60, i / 60, i % 60,
                                                                               l);
                                                                         }},
                                                                        {"subtitles in two languages", 34,
                                                                         [&](const auto&l, int i) {
                                                                           return fmt::format(
                                                                               "{}\n{}\n{}\n\n", i, l,
                                                                               other.substr(
                                                                                   34 * static_cast<
                                                                                            std::size_t>(i),
                                                                                   34));
                                                                         }},
                                                                        {"two columns", 38,
                                                                         [&](const auto&l, int i) {
                                                                           return l + "    " +
                                                                                  other.substr(
                                                                                      38 *
                                                                                          static_cast<
                                                                                              std::size_t>(i),
                                                                                      38) +
                                                                                  "\n";
                                                                         }},
                                                                        {"chords", 36,
                                                                         [&](const auto&l, int) {
                                                                           return random.pick(chords) + "  " +
                                                                                  random.pick(chords) + "\n" +
                                                                                  l + "\n";
                                                                         }},
                                                                        {"speakers", 30,
                                                                         [&](const auto&l, int) {
                                                                           return (random.chance(0.5)
                                                                                       ? "ANNA: "
                                                                                       : "MR. LOWE: ") +
                                                                                  l + "\n";
                                                                         }},
                                                                        {"git blame", 40,
                                                                         [&](const auto&l, int i) {
                                                                           return fmt::format(
                                                                               "{:08x} (Jane Doe "
                                                                               "2024-03-{:02} {}) {}\n",
                                                                               random.below(1 << 30),
                                                                               1 + i % 28, i, l);
                                                                         }},
                                                                        {"grep -nH", 30,
                                                                         [](const auto&l, int i) {
                                                                           return fmt::format(
                                                                               "corpus/book.txt:{}:{}\n", i,
                                                                               l);
                                                                         }}}) {
    EXPECT_EQ(overlap_of({text}, in_lines(text, width, line)), Overlap::kInside) << what;
    EXPECT_EQ(overlap_of({text}, in_lines(random_text(random, 400), width, line)), Overlap::kNone) << what;
  }
  // Lists have so few letters a line that only the labels can be left out.
  const std::vector<std::string> names{"James", "Mary", "John", "Linda", "Robert", "Susan", "Karen", "David"},
      cities{"Oslo", "Bergen", "Lund", "Turku", "Aarhus", "Malmo", "Espoo", "Odense", "Narvik"};
  std::string list, json, links, column, csv = "name,city,age\n", lines, yaml;
  for (int i = 0; i < 80; ++i) {
    const std::string name = random.pick(names) + " " + random_word(random), city = random.pick(cities);
    const auto age = 18 + random.below(70);
    list += name + "\n";
    json += "{\"name\": \"" + name + "\"},\n";
    links += fmt::format("- [{}](https://example.org/p/{})\n", name, i);
    column += fmt::format("{},{},Norway\n", i, name);
    csv += fmt::format("{},{},{}\n", name, city, age);
    lines += fmt::format("{{\"name\": \"{}\", \"city\": \"{}\", \"age\": {}}}\n", name, city, age);
    yaml += fmt::format("- name: {}\n  city: {}\n  age: {}\n", name, city, age);
  }
  for (const std::string& copy : {json, links, column}) {
    EXPECT_EQ(overlap_of({list}, copy), Overlap::kInside) << copy.substr(0, 200);
    EXPECT_EQ(overlap_of({copy}, list), Overlap::kInside) << copy.substr(0, 200);
  }
  for (const std::string& copy : {lines, yaml})
    EXPECT_EQ(overlap_of({csv}, copy), Overlap::kInside) << copy.substr(0, 200);
}

TEST(HeldOut, TablesAreRecognisedWithOtherColumnsAndSeparators) {
  Random random(2);
  using Row = std::function<std::string(const std::vector<int>&, int)>;
  const auto expect_known = [&](const Table& table, const Row& held, const Row& trained,
                                const std::string& what) {
    const Table other = random_table(random, table.size(), table[0].size(), 100, 999);
    EXPECT_EQ(overlap_of({rows(table, held)}, rows(table, trained)), Overlap::kInside) << what;
    EXPECT_EQ(overlap_of({rows(table, held)}, rows(other, trained)), Overlap::kNone) << what;
  };
  const Table table = random_table(random, 60, 4, 100, 999);
  const Row plain = [](const auto& row, int) { return joined(row, "\t") + "\n"; };
  // {} in `before` is the number of the row.
  const auto between = [](const std::string& before, const std::string& comma, const std::string& after) {
    return [=](const std::vector<int>& row, int i) {
      return fmt::format(fmt::runtime(before), i) + joined(row, comma) + after;
    };
  };
  const auto with_number = [&](const std::vector<int>& row, int) {
    return fmt::format("{},{}\n", 100'000 + random.below(900'000), joined(row, ","));
  };
  const auto with_total = [](const std::vector<int>& row, int) {
    return fmt::format("{},{}\n", joined(row, ","), row[0] + row[1] + row[2] + row[3]);
  };
  const auto record = [](const std::vector<int>& row, int) {
    return fmt::format(R"({{"q1": {}, "q2": {}, "q3": {}, "q4": {}}}, )", row[0], row[1], row[2], row[3]);
  };
  const auto with_fraction = [](const std::vector<int>& row, int) { return joined(row, ",", ".0") + "\n"; };
  for (const auto& [what, row] : std::vector<std::pair<std::string, Row>>{
           {"commas", between("", ",", "\n")},
           {"an index", between("{},", ",", "\n")},
           {"numbers", with_number},
           {"a total", with_total},
           {"fractions of zero", with_fraction},
           {"SQL", between("INSERT INTO t VALUES ({}, ", ", ", ");\n")},
           {"records", record},
           {"HTML", between("<tr><td>", "</td><td>", "</td></tr>")},
           {"XML", between("<row r=\"{}\"><c>", "</c><c>", "</c></row>")}})
    expect_known(table, plain, row, what);
  const std::string rtf = rows(table, [](const auto& r, int) {
    return "\\trowd\\cellx1440\\cellx2880\\cellx4320\\cellx5760\n\\intbl " + joined(r, "\\cell \\intbl ") +
           "\\cell \\row\n";
  });
  EXPECT_EQ(overlap_of({rows(table, plain)}, "{\\rtf1\\ansi\n" + rtf + "}"), Overlap::kInside);
  // Years count lines, and commas may be decimal points.
  const auto year = [](const char* format) {
    return [format](const std::vector<int>& row, int i) {
      return fmt::format(fmt::runtime(format), 1950 + i, row[0] / 10.0, row[1] / 10.0);
    };
  };
  const Row years = year("{}\t{:.1f}\t{:.1f}\n");
  for (const auto& [what, row] :
       std::vector<std::pair<std::string, Row>>{{"commas", year("{},{:.1f},{:.1f}\n")},
                                                {"a line", year("[{}, {:.1f}, {:.1f}], ")},
                                                {"a label", year("Spain\t{}\t{:.1f}\t{:.1f}\n")}})
    expect_known(table, years, row, what);
}

TEST(HeldOut, TextInAttributesIsRecognised) {
  Random random(8);
  const std::string text = random_text(random, 400), other = random_text(random, 400);
  using Line = std::function<std::string(const std::string&, int)>;
  const Line word = [](const auto& w, int i) {
    return fmt::format("<String ID=\"S{}\" HPOS=\"{}\" VPOS=\"90\" CONTENT=\"{}\"/>\n", i, 7 * i, w);
  };
  const Line outline = [](const auto& l, int) { return "<outline text=\"" + l + "\"/>\n"; };
  const Line sms = [](const auto& l, int i) {
    return fmt::format("<sms address='+4479{:07}' type='{}' body='{}' read='1'/>\n", i, i % 2 + 1, l);
  };
  // As good as before: text between tags whose attributes are longer.
  const Line ocr = [](const auto& w, int i) {
    return fmt::format("<span class='ocrx_word' id='word_{}' title='bbox {} 9 3 4; x_wconf 95'>{}</span> ", i,
                       i, w);
  };
  const Line link = [](const auto& l, int) {
    return fmt::format("<a href=\"https://example.org/wiki/{}\">{}</a>\n", l, l);
  };
  const Line lemma = [&](const auto& w, int) {
    return fmt::format("<w lemma=\"{}{}\">{}</w> ", random_word(random), random_word(random), w);
  };
  for (const auto& [what, width, line] :
       std::vector<std::tuple<std::string, std::size_t, Line>>{{"ALTO", 6, word},
                                                               {"OPML", 60, outline},
                                                               {"SMS", 40, sms},
                                                               {"hOCR", 6, ocr},
                                                               {"links", 24, link},
                                                               {"words with lemmas", 6, lemma}}) {
    EXPECT_EQ(overlap_of({text}, in_lines(text, width, line)), Overlap::kInside) << what;
    EXPECT_EQ(overlap_of({in_lines(text, width, line)}, text), Overlap::kInside) << what;
    EXPECT_EQ(overlap_of({text}, in_lines(other, width, line)), Overlap::kNone) << what;
  }
  const Table table = random_table(random, 60, 3, 100, 999), others = random_table(random, 60, 3, 100, 999);
  const auto attributes = [](const std::vector<int>& row, int i) {
    return fmt::format("<row id=\"{}\" a=\"{}\" b=\"{}\" c=\"{}\"/>\n", i, row[0], row[1], row[2]);
  };
  const std::string plain = rows(table, [](const auto& row, int) { return joined(row, ",") + "\n"; });
  EXPECT_EQ(overlap_of({plain}, rows(table, attributes)), Overlap::kInside);
  EXPECT_EQ(overlap_of({plain}, rows(others, attributes)), Overlap::kNone);
  // Documents of a kind that share a licence are not copies of each other.
  const std::string licence = "<!-- " + random_text(random, 80) + " -->\n";
  const auto layout = [&] {
    return licence + in_lines(random_text(random, 200), 40, [](const auto& l, int i) {
             return fmt::format("<TextView id=\"@+id/view{}\" text=\"{}\" width=\"match_parent\"/>\n", i, l);
           });
  };
  EXPECT_EQ(overlap_of({layout()}, layout()), Overlap::kNone);
}

// Only names and attributes are markup of what stands between '<' and '>'.
TEST(HeldOut, TextBetweenAngleBracketsIsRecognised) {
  Random random(18);
  const std::string text = random_text(random, 400), other = random_text(random, 400);
  for (const char* line :
       {"<p><![CDATA[{}]]></p>\n", "<!-- {} -->\n", "<!--{}-->", "<?{}?>\n", "</{}>\n", "<{}>\n", "<!{}>\n",
        "<!ENTITY e \"{}\">\n", "a<b {} c>d\n", "<li><!-- {} --></li>\n", "<a b='1' {}>\n", "<a\n{}\n>\n",
        "<p>{}</p>\n", "<p class=\"a b c d e f\" hidden>{}</p >\n", "<br/>{}<hr />\n",
        "<input disabled checked>{}\n", "<!DOCTYPE html>{}\n", "<https://example.org/a-b_c>{}\n",
        "<a title=\"1 > 0\">{}</a>\n"}) {
    SCOPED_TRACE(line);
    const auto hidden = [&](const std::string& whole) {
      return in_lines(whole, 64, [&](const auto& l, int) { return fmt::format(fmt::runtime(line), l); });
    };
    EXPECT_EQ(overlap_of({text}, hidden(text)), Overlap::kInside);
    EXPECT_EQ(overlap_of({hidden(text)}, text), Overlap::kInside);
    EXPECT_EQ(overlap_of({text}, hidden(other)), Overlap::kNone);
  }
}

// Returns a text with `count` words at a time as `form` sets them.
std::string in_groups(const std::string& text, int count, const std::string& form) {
  std::istringstream words(text);
  std::string out, group, word;
  for (int n = 1; words >> word; ++n) {
    group += (group.empty() ? "" : " ") + word;
    if (n % count == 0) out += fmt::format(fmt::runtime(form), std::exchange(group, ""));
  }
  return group.empty() ? out : out + fmt::format(fmt::runtime(form), group);
}

// A word is no name of an element, entity or command because of the signs around it.
TEST(HeldOut, WordsSetAsMarkupAreRecognised) {
  Random random(21);
  const std::string text = random_text(random, 400), other = random_text(random, 400);
  for (const char* form : {"<{}>", "<{}>\n", "&{};", "\\{} ", "\\{}\n", "\\{}", "</{}>", "<{}/>",
                           "<x t=\\\"{}\\\"/>\n", "<w t={} n=1>\n", "<W POS=NN TEXT={}>\n", "<w t=\"{}\"/>"})
    for (const int count : {1, 2, 3, 5, 8}) {
      if (count > 1 &&
          (std::string(form).find("={}") != std::string::npos || form[0] == '&' || form[0] == '\\'))
        continue;
      SCOPED_TRACE(fmt::format("{} {}", form, count));
      const auto hidden = [&](const std::string& whole) { return in_groups(whole, count, form); };
      EXPECT_EQ(overlap_of({text}, hidden(text)), Overlap::kInside);
      EXPECT_EQ(overlap_of({text}, hidden(other)), Overlap::kNone);
    }
}

// A format's signs between words are none of their text, however many there are.
TEST(HeldOut, TextWithMarkupBetweenItsWordsIsRecognised) {
  Random random(24);
  const std::string text = random_text(random, 400), other = random_text(random, 400);
  for (const char* form :
       {"{}\\n", "{}\\t", "{}\\n\\t\\t", "{} $\\mathcal{{X}}_{{\\alpha}}\\leq\\varepsilon$ ",
        "\\colorbox{{red}}{{\\strut {}}} ", "{}\\hskip0pt\\allowbreak ",
        "{{\\rtlch\\fcs1 \\af0 \\ltrch\\fcs0 \\insrsid12 {}}}", "<w AT0>{} ", "<w NN1>{}</w>", "{}&hairsp;",
        "{}&zwsp;", "{}&ZeroWidthSpace;", "{}&thinsp;&nbsp;"})
    for (const int count : {1, 2}) {
      SCOPED_TRACE(fmt::format("{} {}", form, count));
      const auto marked = [&](const std::string& whole) { return in_groups(whole, count, form); };
      EXPECT_EQ(overlap_of({text}, marked(text)), Overlap::kInside);
      EXPECT_EQ(overlap_of({marked(text)}, text), Overlap::kInside);
      EXPECT_EQ(overlap_of({marked(text)}, marked(other)), Overlap::kNone);
      EXPECT_EQ(overlap_of({marked(text)}, marked(text) + other), Overlap::kInside);
    }
}

// Tokens of vocabularies of bytes write spaces and line ends as letters; terminals colour words.
TEST(HeldOut, TokensAndColoursAreRecognised) {
  Random random(25);
  const std::string text = random_text(random, 400), other = random_text(random, 400);
  for (const char* form : {"\xC4\xA0{}", "{}\xC4\x8A", "\xC4\xA0{} ", "\"\xC4\xA0{}\", ", "\x1b[1m{}\x1b[0m ",
                           "\x1b[38;5;28m{}\x1b[39m ", "\x1b[38;2;1;22;255m{}\x1b[39;00m\n"})
    for (const int count : {1, 2}) {
      SCOPED_TRACE(fmt::format("{} {}", form, count));
      const auto written = [&](const std::string& whole) { return in_groups(whole, count, form); };
      EXPECT_EQ(overlap_of({text}, written(text)), Overlap::kInside);
      EXPECT_EQ(overlap_of({written(text)}, text), Overlap::kInside);
      EXPECT_EQ(overlap_of({written(text)}, written(other)), Overlap::kNone);
    }
  // A colour may begin inside of a word.
  EXPECT_EQ(overlap_of({text}, in_groups(text, 1, "\x1b[1m{}\x1b[0m")), Overlap::kInside);
}

// Sentences in attributes are text, beside any other text and whatever the attribute's name is.
TEST(HeldOut, SentencesInAttributesAreRecognisedBesideOtherText) {
  Random random(22);
  const std::string text = random_text(random, 400), other = random_text(random, 400);
  for (const char* form :
       {"<seg id=\"0\" src=\"{}\"/>\n", "<seg src='{}' ref=\"x\"/>\n", "<s style=\"{}\"/>\n",
        "<a href=\"{}\">b</a>\n", "<string name=\"s0\" original=\"{}\">\n",
        "<figure><img alt=\"{}\"><figcaption>\n"})
    for (const int most : {0, 1, 3}) {
      SCOPED_TRACE(fmt::format("{} {}", form, most));
      const auto hidden = [&](const std::string& whole) {
        return in_groups(whole, 12,
                         std::string(form) + (most > 0 ? random_text(random, 12 * most) + "\n" : ""));
      };
      EXPECT_EQ(overlap_of({text}, hidden(text)), Overlap::kInside);
      EXPECT_EQ(overlap_of({text}, hidden(other)), Overlap::kNone);
    }
}

// Numbers with units in attributes are the content of a table.
TEST(HeldOut, ReadingsWithUnitsAreDifferentTexts) {
  Random random(25);
  const auto readings = [&](const char* form) {
    std::string out = "<log>The readings of the four stations along the river, as they were taken at noon.\n";
    for (int i = 0; i < 60; ++i)
      out += fmt::format(fmt::runtime(form), random.uniform(1, 100), random.below(100'000));
    return out + "</log>\n";
  };
  for (const char* form :
       {"<o value=\"{:.4f} mV\" level=\"{}mV\"/>\n", "<part number=\"{1}X\" price=\"{0:.2f} EUR\"/>\n"}) {
    const std::string held = readings(form);
    EXPECT_EQ(overlap_of({held}, readings(form)), Overlap::kNone) << form;
    EXPECT_EQ(overlap_of({held}, "<x>Before.</x>\n" + held), Overlap::kInside) << form;
  }
}

// Classes, styles and links that documents have in common are no text.
TEST(HeldOut, PagesOfOneSiteAreDifferentTexts) {
  Random random(23);
  const auto page = [&] {
    std::string out =
        "<html><head><link rel=\"stylesheet\" href=\"/static/site.css\"><script src=\"/a.js\" "
        "defer></script>\n";
    for (int i = 0; i < 40; ++i)
      out += fmt::format(
          "<div class=\"post wide left column-{0}\" style=\"color: red; margin: 0 auto; padding: 2px\">"
          "<a href=\"https://example.org/posts/of/year/{0}\" title=\"go to the post number "
          "{0}\"><p>{1}</p></a></div>\n",
          i, random_text(random, 12));
    return out;
  };
  const std::string held = page();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(overlap_of({held}, page()), Overlap::kNone) << i;
}

// A window is kept for 64 documents: those after them are recognised by the rest of their text.
TEST(HeldOut, DocumentsThatShareTextWithManyAreRecognised) {
  Random random(9);
  const std::string shared = random_text(random, 160);
  std::vector<std::string> held;
  for (int i = 0; i < 100; ++i) held.push_back(shared + random_text(random, 120));
  HeldOutText text;
  for (const std::string& h : held) EXPECT_TRUE(text.add(comparable_text(h)));
  text.finish();
  for (const std::size_t i : {5U, 63U, 64U, 99U}) {
    const std::string around = random_text(random, 600);
    EXPECT_EQ(text.find(comparable_text(around + held[i] + around)).overlap, Overlap::kInside) << i;
  }
}

// Where there are too many windows of letters, all of those of digits are kept.
TEST(HeldOut, MuchHeldOutTextDoesNotHideTables) {
  constexpr std::size_t kMaxWindows = 20'000;
  Random random(10);
  std::vector<std::string> held;
  for (int i = 0; i < 20; ++i) held.push_back(random_text(random, 800));
  const Table table = random_table(random, 100, 3, 100, 999);
  held.push_back(rows(table, [](const auto& row, int) { return joined(row, ",") + "\n"; }));
  const std::string added = rows(table, [&](const auto& row, int) {
    return fmt::format("{},{}\n", joined(row, ","), 100 + random.below(900));
  });
  EXPECT_EQ(overlap_of(held, added, kMaxWindows), Overlap::kInside);
  EXPECT_EQ(overlap_of(held, held[3] + "the end", kMaxWindows), Overlap::kInside);
  // Many tables are recognised, too, though not each row by itself.
  std::vector<std::string> tables;
  for (int i = 0; i < 100; ++i)
    tables.push_back(rows(random_table(random, 200, 3, 100, 999),
                          [](const auto& row, int) { return joined(row, ",") + "\n"; }));
  EXPECT_EQ(overlap_of(tables, "1\n" + tables[5], kMaxWindows), Overlap::kInside);
}

TEST(HeldOut, NumbersWithExponentsAreDecimalOnes) {
  Random random(11);
  std::vector<std::vector<double>> values(80, std::vector<double>(3));
  for (std::vector<double>& row : values)
    for (double& v : row)
      v = static_cast<double>(1000 + random.below(9000)) / random.pick(std::vector<double>{1e1, 1e3, 1e6});
  const auto table = [&](const char* format) {
    std::string out;
    for (const std::vector<double>& row : values)
      for (const double v : row) out += fmt::format(fmt::runtime(format), v) + (&v == &row[2] ? "\n" : ",");
    return out;
  };
  for (const char* format : {"{:.6e}", "{:.8E}", "{:.3e}"})
    EXPECT_EQ(overlap_of({table("{:.6f}")}, table(format) + "1\n"), Overlap::kInside) << format;
  const auto digits = [](const std::string& text) {
    return comparable_text(text).parts[at(TextPart::kDigits)];
  };
  for (const auto& [text, expected] :
       std::vector<std::pair<std::string, std::string>>{{"1.234560e+01", " 123456"},
                                                        {"1.20e+02,120.0", " 120 120"},
                                                        {"0.00123 1.23e-03 123", " 123 123 123"},
                                                        {"0.000000e+00 0.0", " 0 0"},
                                                        {"1,000.05", " 1 00005"},
                                                        {"1e300;5E-7", " 1 5"},
                                                        {"3em 2e4f 7e+x 8e", " 3 2 4 7 8"},
                                                        {"1e2345 q1e5", " 1 2345 1 5"},
                                                        {"4e+05", " 400000"}})
    EXPECT_EQ(digits(text), expected) << text;
}

std::string encoded(const std::string& text, const std::function<std::string(unsigned)>& f) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto first = static_cast<unsigned char>(text[i]);
    if (first < 0x80)
      out += text[i];
    else
      out += f((first & 0x1fU) << 6 | (static_cast<unsigned char>(text[++i]) & 0x3fU));
  }
  return out;
}

TEST(HeldOut, EncodedLettersAreDecoded) {
  Random random(3);
  std::string text;
  for (int i = 0; i < 300; ++i) {
    text += random_word(random);
    const auto letter = static_cast<char>(0xa0 + random.below(9));  // U+00E0 to U+00E8
    text += std::string("\xc3") + letter + (i % 3 == 0 ? " " : "");
  }
  const auto misread = [](const std::string& utf8) {
    std::string out;
    for (const char c : utf8) {
      const auto byte = static_cast<unsigned char>(c);
      out += byte < 0x80
                 ? std::string(1, c)
                 : std::string{static_cast<char>(0xc0 | byte >> 6), static_cast<char>(0x80 | (byte & 0x3f))};
    }
    return out;
  };
  const std::array<const char*, 9> names{"agrave", "aacute", "acirc",  "atilde", "auml",
                                         "aring",  "aelig",  "ccedil", "egrave"};
  EXPECT_EQ(overlap_of({text}, misread(text)), Overlap::kInside);
  EXPECT_EQ(overlap_of({text}, misread(misread(text))), Overlap::kInside);
  for (const char* format : {"&#{};", "&#x{:x};", "\\x{:02x}", "\\u{:04x}", "\\U{:08x}", "&amp;#{};",
                             "&amp;amp;#x{:x};", "%{:02X}", "={:02X}"})
    EXPECT_EQ(
        overlap_of({text}, encoded(text, [&](unsigned c) { return fmt::format(fmt::runtime(format), c); })),
        Overlap::kInside)
        << format;
  for (const char* format : {"&{};", "&amp;{};"})
    EXPECT_EQ(
        overlap_of(
            {text},
            encoded(text, [&](unsigned c) { return fmt::format(fmt::runtime(format), names[c - 0xe0]); })),
        Overlap::kInside)
        << format;
  // The bytes of UTF-8.
  for (const char* format : {"%C3%{:02X}", "%c3%{:02x}", "=C3={:02X}", "=C3=\n={:02X}"})
    EXPECT_EQ(
        overlap_of({text},
                   encoded(text, [&](unsigned c) { return fmt::format(fmt::runtime(format), c - 0x40); })),
        Overlap::kInside)
        << format;
  EXPECT_EQ(
      overlap_of({text},
                 "{\\rtf1 " + encoded(text, [](unsigned c) { return fmt::format("\\'{:02x}", c); }) + "}"),
      Overlap::kInside);
}

// Signs that only look like escapes are text.
TEST(HeldOut, OtherSignsAreNoEscapes) {
  const auto letters = [](const std::string& text) {
    return comparable_text(text).parts[at(TextPart::kLetters)];
  };
  EXPECT_EQ(letters("MODE=FAST X=F5_b 100%EFFORT %d%c %e9t"), "modefastxfbeffortdcet");
  EXPECT_EQ(comparable_text("a=95 b=80 c=99").parts[at(TextPart::kDigits)], " 95 80 99");
  EXPECT_EQ(letters("AT&amp;T; R&amp;D; &amp;lt;p&amp;gt;"), "attrdp");
}

TEST(HeldOut, TextsOfLittleInformationAreNoCopiesOfEachOther) {
  Random random(4);
  const auto digits = [&](int lines, int columns, double ones, const char* between) {
    std::string out;
    for (int i = 0; i < lines * columns; ++i)
      out += (random.chance(ones) ? "1" : "0") + std::string(i % columns + 1 == columns ? "\n" : between);
    return out;
  };
  const auto letters = [&](const char* alphabet, int count) {
    std::string out;
    for (int i = 0; i < count; ++i)
      out += alphabet[random.below(static_cast<std::int64_t>(std::strlen(alphabet)))];
    return out;
  };
  const auto walk = [&] {
    std::string out;
    std::int64_t at = 90 + random.below(20);
    for (int i = 0; i < 300; ++i) out += std::to_string(at += random.below(3) - 1) + "\n";
    return out;
  };
  for (const auto& [what, make] : std::vector<std::pair<std::string, std::function<std::string()>>>{
           {"parity", [&] { return digits(60, 20, 0.5, ""); }},
           {"grids", [&] { return digits(24, 48, 0.5, " "); }},
           {"sparse grids", [&] { return digits(40, 40, 0.04, " "); }},
           {"walks", walk},
           {"two letters", [&] { return letters("ab", 2000); }},
           {"four letters", [&] { return letters("ACGT", 3000); }}}) {
    HeldOutText text;
    std::vector<std::string> held;
    for (int i = 0; i < 20; ++i) held.push_back(make());
    for (const std::string& h : held) EXPECT_TRUE(text.add(comparable_text(h))) << what;
    text.finish();
    for (int i = 0; i < 40; ++i)
      EXPECT_EQ(text.find(comparable_text(make())).overlap, Overlap::kNone) << what;
    if (what == "sparse grids") continue;  // Too little of them tells one from another.
    EXPECT_EQ(text.find(comparable_text("A title\n" + held[3])).overlap, Overlap::kInside) << what;
  }
}

// Documents with one header, of which one without much else is held out.
TEST(HeldOut, BoilerplateIsLeftOutOfTheHeldOutText) {
  Random random(5);
  const std::string header = random_text(random, 100), own = random_text(random, 300);
  Division division(std::nullopt);
  const std::string bare = header + random_text(random, 10), full = header + own;
  for (const std::string& held : {bare, full}) division.add_candidate(held);
  division.finish();
  std::vector<std::string> training;
  for (int i = 0; i < 30; ++i) training.push_back(header + random_text(random, i < 10 ? 5 : 200));
  training.push_back(own.substr(0, own.size() * 4 / 5));  // a copy
  for (const std::string& text : training) division.observe(text);
  division.settle();
  for (int i = 0; i < 31; ++i)
    EXPECT_EQ(division.side_of(training[static_cast<std::size_t>(i)]), i < 30 ? Side::kTrain : Side::kNeither)
        << i;
  EXPECT_FALSE(division.hold_out_once(bare));
  EXPECT_TRUE(division.hold_out_once(full));
  EXPECT_EQ(division.counts().boilerplate, 1U);
}

// Held-out text is never both trained on and scored: where many training documents hold it among other text,
// it is left out; where they are its copies, they are.
TEST(HeldOut, VersionsInTrainingTextAreNotScored) {
  Random random(6);
  const std::string text = random_text(random, 200);
  for (const bool are_copies : {false, true}) {
    Division division(std::nullopt);
    division.add_candidate(text);
    division.finish();
    std::vector<std::string> training;
    for (int i = 0; i < 20; ++i) training.push_back(text + random_text(random, are_copies ? 5 : 300));
    for (const std::string& t : training) division.observe(t);
    division.settle();
    for (const std::string& t : training)
      EXPECT_EQ(division.side_of(t), are_copies ? Side::kNeither : Side::kTrain);
    EXPECT_EQ(division.hold_out_once(text), are_copies);
    EXPECT_EQ(division.boilerplate_share(), are_copies ? 0 : 1);
  }
}

TEST(HeldOut, TheShareThatIsTrainedOnIsExact) {
  Random random(7);
  HeldOutText held;
  std::vector<std::string> texts;
  for (int i = 0; i < 4; ++i) texts.push_back(random_text(random, 500));
  for (const std::string& text : texts) held.add(comparable_text(text));
  held.finish();
  // Half of each text stands in training documents, in lines with words between them.
  for (const std::string& text : texts) {
    const auto found =
        held.find(comparable_text(in_lines(text.substr(0, text.size() / 2), 60, [&](const auto& line, int) {
          return line + "\n" + random_text(random, 20) + "\n";
        })));
    EXPECT_EQ(found.overlap, Overlap::kNone);
    held.train(found);
  }
  EXPECT_NEAR(held.trained().share, 0.5, 0.01);
  EXPECT_EQ(held.trained().documents, 0U);
  // Lines that are documents stand in held-out text.
  in_lines(texts[0], 72, [&](const auto& line, int) {
    EXPECT_EQ(held.find(comparable_text(line)).overlap,
              line.size() == 72 ? Overlap::kInside : Overlap::kNone);
    return "";
  });
}

}  // namespace
}  // namespace gabbro::data
