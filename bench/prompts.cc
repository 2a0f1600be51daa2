// Prints the sizes of the prompts and the tokens of a scripted conversation: the tables of docs/agents.md.
#include <fmt/format.h>

#include "agents/long_conversation.h"
#include "agents/prompts.h"
#include "agents/usual_tasks.h"
#include "zoo/embedded.h"
#include "zoo/reference.h"

using namespace gabbro;

namespace {

void row(std::string_view name, std::size_t bytes) {
  fmt::print("{:<34}{:>8}{:>8}\n", name, bytes, agents::estimated_tokens(bytes));
}

}  // namespace

int main() {
  fmt::print("{:<34}{:>8}{:>8}\n", "part", "bytes", "tokens");
  row("system.md", agents::prompt_file("system.md").size());
  row("language (docs/language.md)", zoo::language_text().size());
  row("functions, generated", zoo::functions_text().size());
  row("units of the library, generated", zoo::units_text().size());
  row("first for ideas and plans", agents::system_prompt(agents::Knowledge::kUnits).size());
  row("first for code", agents::system_prompt(agents::Knowledge::kCode).size());
  for (const agents::PromptFile& file : agents::prompt_files())
    if (file.name != "system.md") row(file.name, file.text.size());

  const agents::testing::LongConversation conversation = agents::testing::long_conversation();
  std::map<std::string, std::pair<int, std::size_t>> by_role;
  for (const chat::ChatRequest& request : conversation.requests) {
    auto& [calls, bytes] = by_role[request.role];
    ++calls;
    for (const chat::Message& m : request.messages) bytes += m.text.size();
  }
  fmt::print("\n{:<12}{:>6}{:>10}{:>10}\n", "role", "calls", "tokens", "a call");
  for (const auto& [role, sum] : by_role)
    fmt::print("{:<12}{:>6}{:>10}{:>10}\n", role, sum.first, agents::estimated_tokens(sum.second),
               agents::estimated_tokens(sum.second) / sum.first);
  const double reference = agents::testing::reference_tokens_of_long_conversation();
  fmt::print("outcome {}; {} input tokens, {} of them in kept prefixes; {} output tokens\n",
             conversation.report.outcome, conversation.report.input_tokens, conversation.cached_tokens,
             conversation.report.output_tokens);
  fmt::print("reference, same shape: {:.0f} input tokens at least; ours are {:.2f} of it\n", reference,
             static_cast<double>(conversation.report.input_tokens) / reference);
  for (const record::Writing writing : {record::Writing::kUnits, record::Writing::kProgram}) {
    const agents::testing::UsualTokens usual = agents::testing::usual_tokens(writing);
    fmt::print("usual tasks, {}: {:.0f} tokens of input and {:.0f} of output for a design\n", writing,
               usual.input, usual.output);
  }
}
