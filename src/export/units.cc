// Writes units as classes, and instances as what constructs them.
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "export/writer.h"
#include "lang/printer.h"

namespace gabbro::pytorch {

InstancePtr Writer::eval_instance(const Expr& expr) {
  auto out = std::make_shared<Instance>();
  if (expr.kind == Expr::Kind::kList || (expr.kind == Expr::Kind::kBinary && expr.text == "*")) {
    const bool repeat = expr.kind == Expr::Kind::kBinary;
    out->kind = repeat ? Instance::Kind::kRepeat : Instance::Kind::kSequence;
    if (repeat) out->count = static_cast<int>(eval_number(expr.args[0]).value);
    for (std::size_t i = repeat ? 1 : 0; i < expr.args.size(); ++i) {
      InstancePtr part = eval_instance(expr.args[i]);
      if (!part) return nullptr;
      out->parts.push_back(std::move(part));
    }
    return failed() ? nullptr : out;
  }
  if (Binding* b = find(expr.text)) return b->value.instance;
  out->unit = library_.unit(expr.text, frame().own);
  if (!out->unit) {
    poison("unknown unit " + expr.text);
    return nullptr;
  }
  for (std::size_t i = 0; i < expr.args.size(); ++i) {
    const std::string& key = expr.keywords[i];
    if (key == "over" || key.empty()) continue;
    for (const lang::Hyper& hyper : out->unit->hypers) {
      if (hyper.name != key) continue;
      Value v;
      if (hyper.kind == lang::Hyper::Kind::kSlot) {
        v.kind = Value::Kind::kInstance;
        v.instance = eval_instance(expr.args[i]);
      } else {
        v.kind = Value::Kind::kNumber;
        v.number = literal(eval_number(expr.args[i]).value);
      }
      if (failed()) return nullptr;
      out->args.emplace_back(hyper.name, std::move(v));
    }
  }
  return out;
}

// Returns the value of a hyperparameter or slot, as in elaboration: a free one has the value that resizing
// gave it, and an integer may have another one.
Value Writer::hyper_value(const Instance& instance, const lang::Hyper& hyper) {
  Value v;
  bool given = false;
  for (const auto& [name, value] : instance.args)
    if (name == hyper.name) {
      v = value;
      given = true;
    }
  if (hyper.kind == lang::Hyper::Kind::kSlot) {
    if (given) return v;
    if (!hyper.value) return poison(fmt::format("slot {} of {} is empty", hyper.name, instance.unit->name));
    v.kind = Value::Kind::kInstance;
    v.instance = eval_instance(*hyper.value);
    return v;
  }
  if (!given) {
    if (!hyper.value) return poison(fmt::format("{} of {} has no value", hyper.name, instance.unit->name));
    v.kind = Value::Kind::kNumber;
    v.number = literal(eval_number(*hyper.value).value);
  }
  if (hyper.free) {
    const auto known = free_values_.find(frame().path + "." + hyper.name);
    if (known != free_values_.end()) v.number = literal(known->second);
  } else if (hyper.kind == lang::Hyper::Kind::kInt) {
    for (const lang::Move& move : elaboration_.moves)
      if (move.unit == instance.unit->name && move.hyper == hyper.name && move.from == v.number.value) {
        v.number = literal(move.to);
        break;
      }
  }
  return v;
}

void Writer::declare_shared(Instance& instance, const std::string& path, const std::string& label) {
  instance.shared_path = path;
  Draft& draft = *owner().draft;
  SharedModule shared;
  shared.draft = &draft;
  shared.setup = draft.setup.size();
  shared.attribute = attribute(draft, label);
  shared.module = owner().module.empty() ? shared.attribute : owner().module + "." + shared.attribute;
  // This place is filled by the first call. Until then it has a name that nothing reads, so that it is not
  // written.
  draft.setup.push_back({{"\x7f unused"}, ""});
  shared_modules_[path] = shared;
}

Writer::Called Writer::call(const InstancePtr& instance, const std::vector<Tensor>& inputs, int width,
                            const std::string& path, const std::string& module) {
  if (instance->shared_path.empty() || without_params_.contains(instance->shared_path))
    return call_at(instance, inputs, width, path, module);
  const int first_width = shared_widths_.try_emplace(instance->shared_path, width).first->second;
  std::vector<Tensor> x = inputs;
  for (Tensor& t : x) std::replace(t.axes.begin(), t.axes.end(), width, first_width);
  const bool saved = std::exchange(frame().shared, true);
  const std::size_t before = weights_.size();
  const std::string shared_module = shared_modules_.at(instance->shared_path).module;
  Called called = call_at(instance, x, first_width, instance->shared_path, shared_module);
  frame().shared = saved;
  if (failed()) return {};
  const auto shared = shared_modules_.find(instance->shared_path);
  // Without parameters there is nothing to share: further calls have a module of their own.
  if (weights_.size() == before && shared->second.draft->setup[shared->second.setup].text.empty())
    without_params_.insert(instance->shared_path);
  Setup& setup = shared->second.draft->setup[shared->second.setup];
  if (setup.text.empty()) {
    const std::string size = shared->second.draft == owner().draft
                                 ? owner_size(first_width)
                                 : fmt::format("{}", axes_[first_width].size);
    setup = {{}, fmt::format("self.{} = {}", shared->second.attribute, construct(*called.built, size))};
  }
  auto built = std::make_shared<Built>();
  built->shared = "self." + shared->second.attribute;
  called.built = built;
  for (Tensor& t : called.results) std::replace(t.axes.begin(), t.axes.end(), first_width, width);
  return called;
}

Writer::Called Writer::call_at(const InstancePtr& instance, const std::vector<Tensor>& inputs, int width,
                               const std::string& path, const std::string& module) {
  if (instance->kind == Instance::Kind::kUnit) return call_unit(instance, inputs, width, path, module);
  auto built = std::make_shared<Built>();
  const bool repeat = instance->kind == Instance::Kind::kRepeat;
  const int count = repeat ? instance->count : static_cast<int>(instance->parts.size());
  Called out;
  out.results = inputs;
  out.documents = true;
  bool uniform = repeat;
  for (int i = 0; i < count && !failed(); ++i) {
    const InstancePtr& part = instance->parts[repeat ? 0 : static_cast<std::size_t>(i)];
    Called called = call(part, inputs, width, fmt::format("{}.{}", path, i), fmt::format("{}.{}", module, i));
    if (failed()) return {};
    if (called.class_id >= 0) classes_[static_cast<std::size_t>(called.class_id)].in_stack = true;
    if (i > 0) uniform = uniform && construct(*built->parts[0], "D") == construct(*called.built, "D");
    built->parts.push_back(called.built);
  }
  if (uniform && count > 1) {
    built->parts.resize(1);
    built->count = count;
  }
  out.built = built;
  return out;
}

Writer::Called Writer::call_unit(const InstancePtr& instance, const std::vector<Tensor>& inputs, int width,
                                 const std::string& path, const std::string& module) {
  const lang::Unit& unit = *instance->unit;
  AtOnce* const around = std::exchange(at_once_, nullptr);
  Draft draft;
  draft.unit = &unit;
  draft.attributes.insert("D");
  auto frame_ptr = std::make_unique<Frame>();
  Frame& callee = *frame_ptr;
  callee.unit = &unit;
  callee.own = library_.is_own(&unit);
  callee.shared = frame().shared;
  callee.path = path;
  callee.module = module;
  callee.width = width;
  callee.draft = &draft;
  callee.root = callee.scope = &draft.forward;
  for (const int a : inputs[0].axes)
    if (a != width) callee.lifted.push_back(a);
  frames_.push_back(std::move(frame_ptr));
  std::vector<std::string> names;
  std::vector<int> axes = frame().lifted;  // of all inputs and results
  axes.push_back(width);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    Value v;
    v.kind = Value::Kind::kTensor;
    v.tensor.text = python_of(unit.inputs[i].name);
    v.tensor.lead = inputs[0].lead;
    v.tensor.axes = axes;
    names.push_back(v.tensor.text);
    bind(unit.inputs[i].name, v);
  }
  draft.forward.like = names[0];
  std::set<std::string> taken{"D"};  // parameters of __init__
  for (const lang::Hyper& hyper : unit.hypers) {
    if (hyper.kind != lang::Hyper::Kind::kSlot) continue;
    std::string& name = draft.slot_names[hyper.name] = python_name(hyper.name);
    while (!taken.insert(name).second) name += "_";
  }
  for (const lang::Hyper& hyper : unit.hypers) {
    Value v = hyper_value(*instance, hyper);
    if (failed()) break;
    if (v.kind == Value::Kind::kNumber && !std::isinf(v.number.value)) {
      draft.numbers.emplace_back(&hyper, v.number);
      const Number value = v.number;
      v.number = named(value.value, size_name(size_attribute(draft, hyper.name)));
      // A real hyperparameter is a float, whatever its value.
      if (hyper.kind == lang::Hyper::Kind::kReal) v.number.code.is_int = v.number.owner.is_int = false;
    }
    bind(hyper.name, v);
  }
  const std::vector<Value> saved = std::exchange(returned_, {});
  const std::vector<std::string> targets = std::exchange(targets_, {});
  run_block(unit.body);
  Called out;
  if (!failed()) {
    std::vector<std::string> texts;
    for (const Value& v : returned_) {
      const Tensor t = arranged(numeric(tensor(v)), axes);
      texts.push_back(t.text);
      Tensor result;
      result.lead = inputs[0].lead;
      result.axes = axes;
      out.results.push_back(result);
    }
    Line line;
    line.is_return = true;
    line.text = fmt::format("{}", fmt::join(texts, ", "));
    draft.forward.lines.push_back(line);
    out.built = finish_class(frame(), fmt::format("{}", fmt::join(names, ", ")));
    out.class_id = out.built->class_id;
    out.documents = classes_[static_cast<std::size_t>(out.built->class_id)].documents;
  }
  returned_ = saved;
  targets_ = targets;
  at_once_ = around;
  frames_.pop_back();
  return out;
}

// ---- Classes ----

namespace {

// Returns the names of sizes that are marked in a text.
std::set<std::string> marked(std::string_view text) {
  std::set<std::string> out;
  for (std::size_t at = text.find('\x01'); at != std::string_view::npos; at = text.find('\x01', at + 1))
    out.emplace(text.substr(at + 1, text.find('\x02', at) - at - 1));
  return out;
}

// Returns the text for use in a Python string, whatever a comment contains: nothing in it ends the string,
// begins an escape, or is a mark of this writer.
std::string unquoted(const std::string& text) {
  std::string out;
  for (const char c : text)
    if (c == '\\')
      out += "\\\\";
    else if (c == '"')
      out += '\'';
    else
      out += c != '\n' && (static_cast<unsigned char>(c) < ' ' || c == 127) ? ' ' : c;
  return out;
}

std::string indented(const std::string& text, int spaces) {
  std::string out, space(static_cast<std::size_t>(spaces), ' ');
  std::size_t begin = 0;
  while (begin < text.size()) {
    std::size_t end = text.find('\n', begin);
    if (end == std::string::npos) end = text.size();
    if (end > begin) out += space + text.substr(begin, end - begin);
    out += "\n";
    begin = end + 1;
  }
  return out;
}

}  // namespace

std::string Writer::comments_of(const void* item) const {
  const auto known = items_.find(item);
  std::string out;
  if (known == items_.end()) return out;
  for (const std::string& line : known->second->comments) {
    const std::size_t begin = std::min(line.size(), line.find_first_not_of("# "));
    out += (out.empty() ? "" : "\n") + (line.starts_with('#') ? line.substr(begin) : line);
  }
  return out;
}

// Returns a docstring: the comments of an item, then its program.
std::string Writer::docstring(const void* item, const std::string& program, int indent) const {
  std::string text = comments_of(item);
  if (!text.empty() && !program.empty()) text += "\n\n";
  text = unquoted(text + program);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  const bool several = text.find('\n') != std::string::npos;
  return indented(fmt::format("\"\"\"{}{}\"\"\"", text, several ? "\n" : ""), indent);
}

BuiltPtr Writer::finish_class(Frame& f, const std::string& inputs) {
  Draft& draft = *f.draft;
  const lang::Unit& unit = *draft.unit;
  std::set<std::string> read;
  const std::vector<std::string> forward = render(draft.forward.lines, read, 8);
  std::set<std::string> in_forward, needed;
  std::string body;
  for (const std::string& line : forward) {
    const std::set<std::string> here = marked(line);
    in_forward.insert(here.begin(), here.end());
    body += wrapped(resolve_names(line, true)) + "\n";
  }
  needed = in_forward;
  for (const Setup& s : draft.setup)
    if (s.names.empty())
      for (const std::string& name : marked(s.text)) needed.insert(name);
  // Sizes that the needed ones are computed from are needed too: the last statements first.
  for (auto s = draft.setup.rbegin(); s != draft.setup.rend(); ++s)
    if (!s->names.empty() && needed.contains(s->names[0]))
      for (const std::string& name : marked(s->text)) needed.insert(name);
  std::set<std::string> in_setup;
  for (const Setup& s : draft.setup)
    if (s.names.empty() || needed.contains(s.names[0]))
      for (const std::string& name : marked(s.text)) in_setup.insert(name);

  auto built = std::make_shared<Built>();
  built->has_width = needed.contains("D");
  std::string init, params = "self";  // the body and the parameters of __init__
  if (built->has_width) params += ", D";
  for (const lang::Hyper& hyper : unit.hypers) {
    const auto slot = draft.slots.find(hyper.name);
    if (slot == draft.slots.end()) continue;
    const std::string& name = draft.slot_names.at(hyper.name);
    params += ", " + name;
    built->slots.emplace_back(name, slot->second);
  }
  const auto assign_attribute = [&](const std::string& name) {
    if (in_forward.contains(name)) init += fmt::format("        self.{0} = {0}\n", name);
  };
  if (built->has_width) assign_attribute("D");
  for (const auto& [hyper, value] : draft.numbers) {
    const Binding* bound = nullptr;
    for (const Binding& b : f.names)
      if (b.name == hyper->name && !bound) bound = &b;
    const std::set<std::string> mark = marked(bound->value.number.code.text);
    const std::string name = mark.empty() ? hyper->name : *mark.begin();
    if (!needed.contains(name)) continue;
    std::optional<double> default_value;
    if (hyper->value && hyper->value->kind == Expr::Kind::kNumber) default_value = hyper->value->number;
    if (hyper->value && hyper->value->kind == Expr::Kind::kBool) default_value = hyper->value->number;
    if (hyper->value && !default_value && hyper->value->kind == Expr::Kind::kBinary) {
      const Number n = eval_number(*hyper->value);
      if (marked(n.code.text).empty()) {
        params += fmt::format(", {}={}", name, n.code.text);
        if (n.value != value.value) built->args.emplace_back(name, value.code.text);
        assign_attribute(name);
        continue;
      }
    }
    if (default_value)
      params += fmt::format(", {}={}", name, literal(*default_value).code.text);
    else
      params += fmt::format(", {}={}", name, value.code.text);
    if (default_value && *default_value != value.value) built->args.emplace_back(name, value.code.text);
    assign_attribute(name);
  }
  for (const Setup& s : draft.setup) {
    if (!s.names.empty() && !needed.contains(s.names[0])) continue;
    const std::string text = resolve_names(s.text, false);
    if (s.names.empty()) {
      init += fmt::format("        {}\n", text);
      continue;
    }
    const std::string& name = s.names[0];
    std::string targets;
    if (in_setup.contains(name) || !in_forward.contains(name)) targets += name + " = ";
    if (in_forward.contains(name)) targets += "self." + name + " = ";
    init += fmt::format("        {}{}\n", targets, text);
  }
  std::string text = fmt::format("class \x03\x04(nn.Module):\n{}\n",
                                 docstring(&unit, lang::print(lang::Item{unit, {}, {}}), 4));
  if (!init.empty())
    text += fmt::format("    def __init__({}):\n        super().__init__()\n{}\n", params, init);
  const bool documents = read.contains("documents");
  text += fmt::format("    def forward(self, {}{}):\n{}", inputs,
                      documents ? ", documents=None, cache=None" : "\x05", body);

  const auto [known, fresh] = class_ids_.try_emplace({&unit, text}, static_cast<int>(classes_.size()));
  built->class_id = known->second;
  if (fresh) classes_.push_back({&unit, text, "", documents, false, built});
  return built;
}

// Returns the expression that makes the module.
std::string Writer::construct(const Built& built, const std::string& width) {
  if (!built.shared.empty()) return built.shared;
  if (built.class_id < 0) {
    std::vector<std::string> parts;
    for (const BuiltPtr& part : built.parts) parts.push_back(construct(*part, width));
    if (built.count > 0) return fmt::format("Stack({} for _ in range({}))", parts[0], built.count);
    return fmt::format("Stack([{}])", fmt::join(parts, ", "));
  }
  std::vector<std::string> args;
  if (built.has_width) args.push_back(width);
  for (const auto& [name, slot] : built.slots) args.push_back(fmt::format("{}={}", name, factory(*slot)));
  for (const auto& [name, value] : built.args) args.push_back(fmt::format("{}={}", name, value));
  return fmt::format("{}({})", class_mark(built.class_id), fmt::join(args, ", "));
}

// Returns true if the expression that makes the module has a width in it.
bool Writer::needs_width(const Built& built) {
  if (!built.shared.empty()) return false;
  if (built.class_id >= 0) return built.has_width;
  return std::any_of(built.parts.begin(), built.parts.end(),
                     [](const BuiltPtr& p) { return needs_width(*p); });
}

// Returns a callable that makes the module, for a width if it needs one.
std::string Writer::factory(const Built& built) {
  if (built.shared.empty() && built.class_id >= 0 && built.slots.empty() && built.args.empty())
    return class_mark(built.class_id);
  return (needs_width(built) ? "lambda D: " : "lambda: ") + construct(built, "D");
}

}  // namespace gabbro::pytorch
