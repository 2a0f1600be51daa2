// Writes the class of a design and the file around it; checks that the weights are those of the graph.
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "export/helpers.h"
#include "export/writer.h"
#include "lang/printer.h"

namespace gabbro::pytorch {

// Ids of the axes of the design, after t and s.
constexpr int kWidthAxis = 2, kVocabAxis = 3;

Writer::Writer(const lang::Library& library, const lang::Elaboration& elaboration,
               std::span<const lang::Program* const> programs)
    : library_(library), elaboration_(elaboration) {
  for (const lang::FreeHyper& free : elaboration.free_hypers) free_values_[free.path] = free.value;
  for (const lang::Program* program : programs)
    for (const lang::Item& item : program->items)
      std::visit([&](const auto& value) { items_[&value] = &item; }, item.value);
}

namespace {

// The function that loads a folder; {} is the class of the design.
constexpr const char* kLoad = R"(

def load(folder):
    """The model with the weights of a folder that `gabbro export --format torch` wrote."""
    from safetensors.torch import load_file

    model = {}()
    weights = load_file(f"{{folder}}/weights.safetensors")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(weights[name])
    return model
)";

// Returns the name of the unit that fills a slot of the class, or "" if that is not a single unit.
std::string filler(const ClassText& c, const std::string& slot, const std::vector<ClassText>& classes) {
  for (const auto& [name, built] : c.first->slots)
    if (name == slot && built->class_id >= 0)
      return classes[static_cast<std::size_t>(built->class_id)].unit->name;
  return "";
}

}  // namespace

// Replaces "\x03id\x04" by the name of the class, "\x03\x04" by `self`, "\x05" by `extra`, and marks of
// functions by their names.
std::string Writer::resolved(const std::string& text, const std::string& self,
                             const std::string& extra) const {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\x05') {
      out += extra;
    } else if (text[i] == '\x0e') {
      const std::size_t end = text.find('\x0f', i);
      out += function_names_.at(text.substr(i + 1, end - i - 1));
      i = end;
    } else if (text[i] == '\x03') {
      const std::size_t end = text.find('\x04', i);
      const std::string id = text.substr(i + 1, end - i - 1);
      out += id.empty() ? self : classes_[std::stoul(id)].name;
      i = end;
    } else {
      out += text[i];
    }
  }
  return out;
}

// Functions and classes are named when the rest is written, so that no other name in it hides them. A unit
// with one class gives it its name. Several are named by what fills a slot, or numbered. `design_class` is
// the text of the class of the design. Returns all names of the module.
std::set<std::string> Writer::name_items(const std::string& design_class) {
  std::set<std::string> taken = identifiers(design_class);
  for (const FunctionText& f : functions_) taken.merge(identifiers(f.text));
  for (const ClassText& c : classes_) taken.merge(identifiers(c.text));
  for (FunctionText& f : functions_) {
    std::string name = f.name;
    for (int n = 2; !taken.insert(name).second; ++n) name = fmt::format("{}_{}", f.name, n);
    function_names_[f.name] = name;
  }
  std::map<const lang::Unit*, std::vector<std::size_t>> groups;
  for (std::size_t i = 0; i < classes_.size(); ++i) groups[classes_[i].unit].push_back(i);
  for (std::size_t i = 0; i < classes_.size(); ++i) {
    ClassText& c = classes_[i];
    const std::vector<std::size_t>& group = groups[c.unit];
    std::string base = python_name(c.unit->name);
    for (const auto& [slot, built] : c.first->slots) {
      std::set<std::string> fillers;
      for (const std::size_t k : group) fillers.insert(filler(classes_[k], slot, classes_));
      if (group.size() > 1 && fillers.size() == group.size() && !fillers.contains("")) {
        base = filler(c, slot, classes_) + base;
        break;
      }
    }
    c.name = base;
    for (int n = 2; !taken.insert(c.name).second; ++n) c.name = fmt::format("{}{}", base, n);
  }
  return taken;
}

// Returns the weights in the order of the graph's parameters. Errors: "export", if they are not those of the
// graph.
Result<std::vector<Weight>> Writer::checked_weights() {
  const ir::Graph& graph = elaboration_.graph;
  const auto bug = [](const std::string& what) {
    return fail("export", "the module does not have the parameters of the design: " + what,
                "this is a bug in gabbro; please report it");
  };
  std::vector<Weight> out;
  if (weights_.size() != graph.params.size())
    return bug(fmt::format("it has {} of {}", weights_.size(), graph.params.size()));
  for (const ir::Param& param : graph.params) {
    const auto known = weights_by_name_.find(param.name);
    if (known == weights_by_name_.end()) return bug(param.name + " is missing");
    const std::vector<int>& axes = weight_axes_[known->second];
    bool same = axes.size() == static_cast<std::size_t>(param.axes.size());
    for (std::size_t i = 0; i < axes.size() && same; ++i) {
      const ir::Axis& axis = graph.axes[param.axes[static_cast<int>(i)]];
      same = axes_[axes[i]].name == axis.name && axes_[axes[i]].size == axis.size;
    }
    if (!same) return bug(param.name + " has other axes");
    out.push_back(weights_[known->second]);
  }
  return out;
}

std::string Writer::file_text(const std::string& design_class) {
  std::string body;
  for (const FunctionText& f : functions_)
    body += fmt::format("def {}{}\n\n", function_names_.at(f.name), resolved(f.text, "", ""));
  for (const ClassText& c : classes_)
    body += resolved(c.text, c.name, c.in_stack ? ", documents=None, cache=None" : "") + "\n\n";
  body += resolved(design_class, "", "");
  std::set<std::string> used = identifiers(body);
  used.insert("Cache");
  const std::string helpers = helper_text(used);
  std::string out =
      "\"\"\"A language model found or checked by Gabbro, as PyTorch modules: one class for each unit of its "
      "program.\n\n"
      "`documents` [batch, time] numbers the documents that share a row; None means one document per row.\n"
      "No result depends on a later position or on another document, whatever values stand there.\n"
      "Called with one `cache = Cache()` on the pieces of a text, a model continues where it was.\n\"\"\"\n\n"
      "import torch\n";
  const std::string all = helpers + body;
  if (all.find("F.") != std::string::npos) out += "import torch.nn.functional as F\n";
  out += "from torch import nn\n\n\n";
  if (!helpers.empty()) out += helpers + "\n\n";
  return out + body;
}

Result<Module> Writer::run(const lang::Design& design) {
  const ir::Graph& graph = elaboration_.graph;
  axes_.push_back({"t", 0, literal(0), nullptr});
  axes_.push_back({"s", 0, literal(0), nullptr});
  Draft draft;
  draft.attributes = {"D", "V", "embedding", "stack", "head"};
  auto root = std::make_unique<Frame>();
  root->path = "stack";
  root->draft = &draft;
  root->root = root->scope = &draft.forward;
  draft.forward.like = "x";
  draft.forward.names = {"x", "tokens", "documents"};
  const double d = graph.env.width, v = graph.env.vocab;
  axes_.push_back({"D", static_cast<std::int64_t>(d), named(d, size_name("D")), &draft.forward});
  axes_.push_back({"V", static_cast<std::int64_t>(v), named(v, size_name("V")), &draft.forward});
  root->width = kWidthAxis;
  frames_.push_back(std::move(root));
  const bool tied = design.tied && eval_number(*design.tied).value != 0;
  for (const lang::Design::Shared& share : design.shares) {
    Value value;
    value.kind = Value::Kind::kInstance;
    const InstancePtr instance = eval_instance(share.instance);
    if (!instance) break;
    auto shared = std::make_shared<Instance>(*instance);
    declare_shared(*shared, share.name, share.name);
    value.instance = shared;
    bind(share.name, value);
  }
  const InstancePtr stack = failed() ? nullptr : eval_instance(design.stack);
  const std::int64_t width = axes_[kWidthAxis].size, vocab = axes_[kVocabAxis].size;
  const auto add_table = [&](const std::string& name) {
    weights_by_name_[name] = weights_.size();
    weights_.push_back({.name = name,
                        .key = name + ".weight",
                        .from = {width, vocab},
                        .order = {1, 0},
                        .shape = {vocab, width}});
    weight_axes_.push_back({kWidthAxis, kVocabAxis});
  };
  add_table("embedding");
  Tensor x;
  x.text = "x";
  x.lead = Tensor::kTimes;
  x.axes = {kWidthAxis};
  Called called;
  if (stack) called = call(stack, {x}, kWidthAxis, "stack", "stack");
  if (error_) return tl::unexpected(*error_);
  if (!tied) add_table("head");

  std::string text = fmt::format("class {}(nn.Module):\n{}\n", "\x06",
                                 docstring(&design, lang::print(lang::Item{design, {}, {}}), 4));
  text += fmt::format("    def __init__(self, D={}, V={}):\n        super().__init__()\n", width, vocab);
  text += "        self.embedding = nn.Embedding(V, D)\n";
  if (tied) text += "        nn.init.normal_(self.embedding.weight, std=D**-0.5)\n";
  for (const Setup& s : draft.setup)
    if (s.names.empty()) text += fmt::format("        {}\n", resolve_names(s.text, false));
  const std::string stack_line = fmt::format("        self.stack = {}", construct(*called.built, "D"));
  const std::set<std::string> taken = name_items(text + stack_line + kLoad);
  text += wrapped(resolved(stack_line, "", "")) + "\n";
  if (!tied) text += "        self.head = Linear(D, V)\n";
  text +=
      "\n    def forward(self, tokens, documents=None, cache=None):\n"
      "        if cache is not None:\n            cache.begin(tokens, documents)\n";
  text += tied ? "        x = self.embedding(tokens) * self.embedding.embedding_dim\n"
               : "        x = self.embedding(tokens)\n";
  text += fmt::format("        x = self.stack(x{})\n", called.documents ? ", documents, cache" : "");
  text += tied ? "        return F.linear(x, self.embedding.weight)\n" : "        return self.head(x)\n";
  Module out;
  out.name = python_name(design.name);
  while (taken.contains(out.name)) out.name += "Model";
  text.replace(text.find('\x06'), 1, out.name);
  text += fmt::format(kLoad, out.name);
  out.source = file_text(text);
  GABBRO_TRY(weights, checked_weights());
  out.weights = std::move(weights);
  return out;
}

Result<Module> write_module(const lang::Library& library, const lang::Design& design,
                            const lang::Elaboration& elaboration,
                            std::span<const lang::Program* const> programs) {
  return Writer(library, elaboration, programs).run(design);
}

namespace {

// Calls f(index in the graph's array, index in the module's array) for all elements.
template <class F>
void for_each_element(const Weight& w, F&& f) {
  const std::size_t rank = w.from.size();
  // `index`, `extents` and `steps` (distances in the graph's array) are of the permuted axes.
  std::vector<std::int64_t> strides(rank, 1), index(rank, 0), extents(rank), steps(rank);
  for (std::size_t i = rank; i-- > 1;) strides[i - 1] = strides[i] * w.from[i];
  std::int64_t count = 1;
  for (std::size_t i = 0; i < rank; ++i) {
    extents[i] = w.from[w.order[i]];
    steps[i] = strides[w.order[i]];
    count *= extents[i];
  }
  std::int64_t from = 0;
  for (std::int64_t to = 0; to < count; ++to) {
    f(static_cast<std::size_t>(from), static_cast<std::size_t>(to));
    for (std::size_t i = rank; i-- > 0;) {
      from += steps[i];
      if (++index[i] < extents[i]) break;
      from -= steps[i] * extents[i];
      index[i] = 0;
    }
  }
}

}  // namespace

template <class T>
std::vector<T> to_module(const Weight& weight, std::span<const T> elements) {
  std::vector<T> out(elements.size());
  for_each_element(weight, [&](std::size_t from, std::size_t to) { out[to] = elements[from]; });
  return out;
}

template <class T>
std::vector<T> from_module(const Weight& weight, std::span<const T> elements) {
  std::vector<T> out(elements.size());
  for_each_element(weight, [&](std::size_t from, std::size_t to) { out[from] = elements[to]; });
  return out;
}

template std::vector<float> to_module(const Weight&, std::span<const float>);
template std::vector<double> to_module(const Weight&, std::span<const double>);
template std::vector<float> from_module(const Weight&, std::span<const float>);
template std::vector<double> from_module(const Weight&, std::span<const double>);

}  // namespace gabbro::pytorch
