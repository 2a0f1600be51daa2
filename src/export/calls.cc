// Writes calls of functions and units.
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "export/helpers.h"
#include "export/writer.h"
#include "lang/builtins.h"

namespace gabbro::pytorch {

namespace {

bool is_past(const Tensor& x) { return x.pairs && x.pairs->kind == Pairs::Kind::kPast; }

}  // namespace

std::vector<Value> Writer::call_expr(const Expr& expr) {
  if (failed()) return {};
  if (Binding* b = find(expr.text)) {
    if (b->value.kind == Value::Kind::kInstance) return call_instance_expr(b->value.instance, expr);
    return {poison(expr.text + " is called, but it is a value")};
  }
  if (lang::find_builtin(expr.text)) return {call_builtin(expr)};
  if (const lang::Function* function = library_.function(expr.text, frame().own)) {
    return call_known(*function, expr);
  }
  if (!library_.unit(expr.text, frame().own)) return {poison("unknown function " + expr.text)};
  const InstancePtr instance = eval_instance(expr);
  return instance ? call_instance_expr(instance, expr) : std::vector<Value>{};
}

// Writes a call of a function. If PyTorch or a helper has that function of the prelude, it is called; others
// are written as functions of the module.
std::vector<Value> Writer::call_known(const lang::Function& function, const Expr& expr) {
  if (library_.is_own(&function)) return call_function(function, expr);
  const auto argument = [&](std::string_view name) -> const Expr* {
    std::size_t position = 0;
    for (std::size_t i = 0; i < expr.args.size(); ++i) {
      const std::string& key = expr.keywords[i];
      const bool matches = key.empty()
                               ? position < function.params.size() && function.params[position].name == name
                               : key == name;
      if (key.empty()) ++position;
      if (matches) return &expr.args[i];
    }
    return nullptr;
  };
  const std::string& name = function.name;
  static const std::map<std::string, std::string> kTorchNames = {{"relu", "F.relu"},
                                                                 {"silu", "F.silu"},
                                                                 {"gelu", "F.gelu"},
                                                                 {"log_sigmoid", "F.logsigmoid"},
                                                                 {"abs", "torch.abs"}};
  const bool normalizes = name == "l2_normalize" || name == "rms_normalize";
  const bool reduces = name == "softmax" || name == "logsumexp" || normalizes;
  const auto torch_name = kTorchNames.find(name);
  const Expr* x_expr = argument("x");
  if ((torch_name == kTorchNames.end() && !reduces && name != "rope") || !x_expr ||
      (reduces && !argument("over")))
    return call_function(function, expr);
  // An argument is evaluated once: it may make parameters.
  const Value value = eval(*x_expr);
  if (failed()) return {};
  if (value.kind != Value::Kind::kTensor) return call_function(function, expr, x_expr, value);
  const Tensor x = numeric(tensor(value));
  if (torch_name != kTorchNames.end()) return {value_of(apply(torch_name->second, x))};
  if (name == "rope") {
    const int k = eval_axis(*argument("k"));
    if (x.lead != Tensor::kTimes) return call_function(function, expr, x_expr, value);
    const double size = static_cast<double>(axes_[k].size);
    // The axes that rope of the prelude declares, and one for each `take` in it.
    new_axis("p", literal(2));
    new_axis("j", literal(size / 2));
    new_axis("one", literal(1));
    new_axis("one", literal(1));
    Tensor out = with_last(x, {k});
    std::string tail;
    if (const Expr* base = argument("base")) tail = ", base=" + eval_number(*base).code.text;
    out.text = fmt::format("rope({}, {}{})", out.text, documents(), tail);
    out.rank = kAtom;
    return {value_of(out)};
  }
  const std::vector<int> over = eval_axes(*argument("over"));
  if (name == "softmax" && over.size() == 1) return {value_of(softmax(x, over[0]))};
  const bool past = contains(over, kPast);
  if (name == "softmax" || (past && (name != "logsumexp" || over.size() != 1)))
    return call_function(function, expr, x_expr, value);
  if (past) {
    Tensor out = x;
    out.lead = Tensor::kTimes;
    out.pairs = nullptr;
    out.rank = kAtom;
    out.text = fmt::format("masked({}, {}, -torch.inf).logsumexp(2)", x.text, mask(x.window));
    return {value_of(out)};
  }
  std::string eps;
  if (const Expr* e = argument("eps")) eps = eval_number(*e).code.text;
  const auto write = [&](const Tensor& t) {
    Tensor out = t;
    std::vector<int> dims;
    for (const int a : over) dims.push_back(dim(t, a));
    std::sort(dims.begin(), dims.end());
    const std::string shown = tuple_text(dims, false);
    if (name == "rms_normalize" && shown == "-1" && !t.centred.empty() && t.centred_as == t.text) {
      out.text = fmt::format("layer_normalize({}{})", t.centred, eps.empty() ? "" : ", eps=" + eps);
    } else if (normalizes) {
      out.text = fmt::format("{}({}{}{})", name, t.text, shown == "-1" ? "" : ", " + shown,
                             eps.empty() ? "" : ", eps=" + eps);
    } else {
      out.text = fmt::format("{}.logsumexp({})", bracketed(t.text, t.rank, kAtom), shown);
      for (const int a : over) out.axes.erase(std::find(out.axes.begin(), out.axes.end(), a));
    }
    out.rank = kAtom;
    out.pairs = nullptr;
    return out;
  };
  return {value_of(is_past(x) ? past_of(write(x.pairs->a), x.window) : write(x))};
}

std::string Writer::call_text(const std::string& function, const std::vector<std::string>& args) {
  return fmt::format("{}({})", function, fmt::join(args, ", "));
}

// Returns the results of a call with this text. Several results are assigned to names.
std::vector<Value> Writer::results_of(const std::string& text, std::vector<Tensor> results) {
  if (results.size() == 1) {
    results[0].text = text;
    results[0].rank = kAtom;
    return {value_of(results[0])};
  }
  std::vector<std::string> names = targets_;
  if (names.size() != results.size()) {
    names.clear();
    for (std::size_t i = 0; i < results.size(); ++i) names.push_back(scope().fresh("y"));
  }
  scope().assign(names, text);
  std::vector<Value> out;
  for (std::size_t i = 0; i < results.size(); ++i) {
    results[i].text = names[i];
    results[i].rank = kAtom;
    out.push_back(value_of(results[i]));
  }
  return out;
}

// Writes a function of the program as a function of the module. Parameters that it makes, and sizes that it
// reads, are passed to it.
std::vector<Value> Writer::call_function(const lang::Function& function, const Expr& call,
                                         const Expr* evaluated, const Value& value) {
  Scope body;
  body.kind = Scope::Kind::kFunction;
  auto frame_ptr = std::make_unique<Frame>();
  Frame& callee = *frame_ptr;
  callee.owner = &owner();
  callee.caller = &frame();
  callee.own = library_.is_own(&function);
  callee.shared = frame().shared;
  callee.width = frame().width;
  callee.lifted = frame().lifted;
  callee.label = frame().label;
  callee.draft = owner().draft;
  callee.root = callee.scope = &body;
  const std::size_t count = function.params.size();
  std::vector<Value> values(count);
  std::vector<bool> given(count, false);
  std::vector<std::string> texts(count), names(count);
  std::size_t position = 0;
  const std::vector<std::string> targets = std::exchange(targets_, {});
  for (std::size_t i = 0; i < call.args.size(); ++i) {
    std::size_t slot = 0;
    if (call.keywords[i].empty())
      slot = position++;
    else
      while (slot < count && function.params[slot].name != call.keywords[i]) ++slot;
    if (slot >= count) return {poison("a function has another number of arguments")};
    const Expr& e = call.args[i];
    if (e.kind == Expr::Kind::kList) {
      values[slot].kind = Value::Kind::kAxes;
      values[slot].axes = eval_axes(e);
    } else {
      values[slot] = &e == evaluated ? value : eval(e);
    }
    given[slot] = true;
    if (failed()) return {};
    Value& v = values[slot];
    if (v.kind == Value::Kind::kTensor) {
      const Tensor x = settled(v.tensor);
      texts[slot] = is_past(x) ? x.pairs->a.text : x.text;
      v.tensor = x;
    } else if (v.kind == Value::Kind::kNumber) {
      texts[slot] = v.number.code.text;
    } else if (v.kind == Value::Kind::kAxis && v.axes[0] > kPast) {
      v.number = size_of(v.axes[0]);
      texts[slot] = int_text(v.number.value, v.number.code);
    }
  }
  // A call with a value of a step reads the items of its position of all sequences.
  const bool in_step = std::any_of(values.begin(), values.end(), [](const Value& v) {
    return v.kind == Value::Kind::kTensor && v.tensor.lead == Tensor::kBatch;
  });
  if (in_step && in_scan())
    for (std::size_t i = 0; i < count; ++i)
      if (values[i].kind == Value::Kind::kTensor && values[i].tensor.lead == Tensor::kTimes) {
        values[i].tensor = use(values[i].tensor);
        texts[i] = values[i].tensor.text;
      }
  frames_.push_back(std::move(frame_ptr));
  const std::vector<Value> saved = std::exchange(returned_, {});
  for (std::size_t i = 0; i < count && !failed(); ++i) {
    const auto& p = function.params[i];
    if (!given[i]) {
      values[i] = eval(*p.value);
      if (values[i].kind == Value::Kind::kNumber) texts[i] = values[i].number.code.text;
    }
    Value v = values[i];
    const bool infinite = v.kind == Value::Kind::kNumber && std::isinf(v.number.value);
    if (!texts[i].empty() && !infinite) {
      names[i] = python_of(p.name);
      if (v.kind == Value::Kind::kTensor) {
        Tensor x = is_past(v.tensor) ? v.tensor.pairs->a : v.tensor;
        x.text = names[i];
        x.rank = kAtom;
        x.pairs = nullptr;
        if (body.like.empty() && (x.lead == Tensor::kTimes || x.lead == Tensor::kBatch)) body.like = names[i];
        v.tensor = is_past(v.tensor) ? past_of(x, v.tensor.window) : x;
      } else {
        const bool is_int = v.number.code.is_int || v.kind == Value::Kind::kAxis;
        v.number.code = {names[i], kAtom, is_int, ""};
        if (v.kind == Value::Kind::kAxis)
          v.number.owner = {int_text(v.number.value, v.number.owner), kAtom, true, ""};
      }
    }
    bind(p.name, v);
  }
  run_block(function.body);
  std::vector<Value> results = std::exchange(returned_, saved);
  std::vector<std::string> returns;
  std::vector<Tensor> tensors;
  bool no_tensor = true;  // no result is a tensor: no function has to be called
  for (Value& r : results) {
    if (r.kind != Value::Kind::kTensor) {
      if (r.kind == Value::Kind::kNumber) r.number = literal(r.number.value);
      returns.emplace_back("0");
      tensors.emplace_back();
      continue;
    }
    no_tensor = false;
    const Tensor t = tensor(r);
    returns.push_back(is_past(t) ? t.pairs->a.text : t.text);
    tensors.push_back(t);
  }
  if (!failed() && !no_tensor) {
    Line line;
    line.is_return = true;
    line.text = fmt::format("{}", fmt::join(returns, ", "));
    body.lines.push_back(line);
  }
  frames_.pop_back();
  if (failed()) return {};
  if (no_tensor) return results;
  std::set<std::string> read;
  std::vector<std::string> lines = render(body.lines, read, 4);
  for (std::string& line : lines) line = wrapped(line);
  std::vector<std::string> params, args, defaults, keywords;
  for (std::size_t i = 0; i < count; ++i) {
    if (names[i].empty() || !read.contains(names[i])) continue;
    const auto& p = function.params[i];
    const bool has_default = p.value && values[i].kind == Value::Kind::kNumber &&
                             (p.value->kind == Expr::Kind::kNumber || !given[i]);
    if (!has_default) {
      params.push_back(names[i]);
      args.push_back(texts[i]);
    } else {
      const double default_value =
          p.value->kind == Expr::Kind::kNumber ? p.value->number : values[i].number.value;
      defaults.push_back(fmt::format("{}={}", names[i], literal(default_value).code.text));
      if (given[i]) keywords.push_back(fmt::format("{}={}", names[i], texts[i]));
    }
  }
  for (const auto& [name, text] : body.extra_parameters) {
    if (!read.contains(name)) continue;
    params.push_back(name);
    args.push_back(text);
  }
  params.insert(params.end(), defaults.begin(), defaults.end());
  args.insert(args.end(), keywords.begin(), keywords.end());
  const std::string about = comments_of(&function).empty() ? "" : docstring(&function, "", 4);
  const std::string text =
      fmt::format("({}):\n{}{}\n", fmt::join(params, ", "), about, fmt::join(lines, "\n"));
  auto known = std::find_if(functions_.begin(), functions_.end(),
                            [&](const FunctionText& f) { return f.function == &function && f.text == text; });
  if (known == functions_.end()) {
    const std::string base = python_name(function.name);
    std::string name = base;
    const auto taken = [&](const FunctionText& f) { return f.name == name; };
    for (int i = 2; std::any_of(functions_.begin(), functions_.end(), taken); ++i)
      name = fmt::format("{}_{}", base, i);
    functions_.push_back({&function, name, text});
    known = functions_.end() - 1;
  }
  const bool past = tensors.size() == 1 && is_past(tensors[0]);
  if (past) {
    Tensor inner = tensors[0].pairs->a;
    inner.text = call_text(function_mark(known->name), args);
    inner.rank = kAtom;
    return {value_of(past_of(inner, tensors[0].window))};
  }
  for (Tensor& t : tensors) t.pairs = nullptr, t.is_number = false;
  targets_ = targets;
  return results_of(call_text(function_mark(known->name), args), tensors);
}

std::vector<Value> Writer::call_instance_expr(const InstancePtr& instance, const Expr& expr) {
  std::vector<Tensor> inputs;
  const std::vector<std::string> targets = std::exchange(targets_, {});
  for (std::size_t i = 0; i < expr.args.size(); ++i)
    if (expr.keywords[i].empty()) inputs.push_back(numeric(eval_tensor(expr.args[i])));
  if (failed() || inputs.empty()) return {};
  const bool in_step =
      std::any_of(inputs.begin(), inputs.end(), [](const Tensor& x) { return x.lead == Tensor::kBatch; });
  if (in_step && in_scan())
    for (Tensor& x : inputs) x = use(x);
  std::vector<int> over;
  if (const Expr* given = lang::keyword(expr, "over")) {
    over = eval_axes(*given);
  } else {
    for (const int a : inputs[0].axes)
      if (!contains(frame().lifted, a)) over.push_back(a);
  }
  const std::string label = unique_label(expr.text);
  const std::string path = owner().path + "." + label;
  int width = over[0];
  std::vector<Tensor> passed;
  std::string size = owner_size(width);
  if (over.size() > 1) {
    Number product = size_of(over[0]);
    size.clear();
    for (std::size_t i = 0; i < over.size(); ++i) {
      if (i > 0) product = combine("*", product, size_of(over[i]));
      const std::string one = owner_size(over[i]);
      size += (i ? " * " : "") +
              (one.find(' ') != std::string::npos && one.back() != ')' ? "(" + one + ")" : one);
    }
    width = new_axis("D", product);
  }
  for (const Tensor& x : inputs) {
    Tensor t = with_last(x, over);
    if (over.size() > 1) {
      t.text = fmt::format("{}.flatten(-{})", bracketed(t.text, t.rank, kAtom), over.size());
      t.rank = kAtom;
      t.axes.resize(t.axes.size() - over.size());
      t.axes.push_back(width);
    }
    if (!passed.empty() && t.axes != passed[0].axes) t = arranged(t, passed[0].axes);
    passed.push_back(t);
  }
  const bool unshared = instance->shared_path.empty() || without_params_.contains(instance->shared_path);
  Draft& draft = *owner().draft;
  std::string attr;  // the attribute that holds the module
  const auto shared = unshared ? shared_modules_.end() : shared_modules_.find(instance->shared_path);
  if (shared != shared_modules_.end() && shared->second.draft == &draft) {
    attr = shared->second.attribute;
  } else {
    attr = attribute(draft, label);
  }
  const std::string module = owner().module.empty() ? attr : owner().module + "." + attr;
  const std::size_t setup = draft.setup.size();
  Called called = call(instance, passed, width, path, module);
  if (failed()) return {};
  if (shared == shared_modules_.end() || shared->second.draft != &draft) {
    std::string made;
    const Binding* b = find(expr.text);
    const bool is_slot =
        b && !frame().owner && frame().unit &&
        std::any_of(frame().unit->hypers.begin(), frame().unit->hypers.end(), [&](const lang::Hyper& h) {
          return h.kind == lang::Hyper::Kind::kSlot && h.name == expr.text;
        });
    if (is_slot) {
      const auto [known, fresh] = draft.slots.try_emplace(expr.text, called.built);
      if (fresh || factory(*known->second) == factory(*called.built))
        made = fmt::format("{}({})", draft.slot_names.at(expr.text), needs_width(*called.built) ? size : "");
    }
    if (made.empty()) made = construct(*called.built, size);
    draft.setup.insert(draft.setup.begin() + static_cast<std::ptrdiff_t>(setup),
                       {{}, fmt::format("self.{} = {}", attr, made)});
  }
  std::vector<std::string> args;
  for (const Tensor& x : passed) args.push_back(x.text);
  if (called.documents) args.push_back(documents());
  const std::string text = call_text(reach(frame(), expr.text, "self." + attr), args);
  std::vector<Tensor> results;
  for (Tensor r : called.results) {
    r.axes = passed[0].axes;
    r.lead = passed[0].lead;
    results.push_back(r);
  }
  if (over.size() == 1) {
    targets_ = targets;
    return results_of(text, results);
  }
  std::vector<Value> out = results_of(text, results);
  for (Value& v : out) {
    Tensor& t = v.tensor;
    t.text = fmt::format("{}.unflatten(-1, ({}))", bracketed(t.text, t.rank, kAtom), size_list(over));
    t.rank = kAtom;
    t.axes.pop_back();
    t.axes.insert(t.axes.end(), over.begin(), over.end());
  }
  return out;
}

}  // namespace gabbro::pytorch
