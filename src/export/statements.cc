// Writes statements: assignments, axes and loops.
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "export/writer.h"

namespace gabbro::pytorch {

void Writer::run_block(const std::vector<Stmt>& block) {
  const auto around = std::pair(std::exchange(block_, &block), statement_);
  for (statement_ = 0; statement_ < block.size() && !failed(); ++statement_) run_stmt(block[statement_]);
  std::tie(block_, statement_) = around;
}

void Writer::run_stmt(const Stmt& stmt) {
  switch (stmt.kind) {
    case Stmt::Kind::kAxis:
      return run_axis(stmt);
    case Stmt::Kind::kAssign:
      return run_assign(stmt);
    case Stmt::Kind::kScan:
      return run_scan(stmt);
    case Stmt::Kind::kFor:
      return run_for(stmt);
    case Stmt::Kind::kShare: {
      Value v;
      v.kind = Value::Kind::kInstance;
      if (const InstancePtr instance = eval_instance(stmt.values[0])) {
        auto shared = std::make_shared<Instance>(*instance);
        if (shared->shared_path.empty()) {
          const std::string label = unique_label(stmt.names[0]);
          declare_shared(*shared, owner().path + "." + label, label);
        }
        v.instance = std::move(shared);
      }
      return bind(stmt.names[0], v);
    }
    case Stmt::Kind::kReturn:
      frame().label = "out";  // as in elaboration
      for (const Expr& value : stmt.values) returned_.push_back(eval(value));
      return;
  }
}

int Writer::new_axis(const std::string& name, const Number& size) {
  const auto add = [&] {
    axes_.push_back({name, static_cast<std::int64_t>(size.value), size, frame().root});
    return static_cast<int>(axes_.size()) - 1;
  };
  if (!frame().shared) return add();
  const auto [known, fresh] = shared_axes_.try_emplace(owner().path + "." + unique_label("axis " + name), 0);
  if (fresh) return known->second = add();
  AxisInfo& info = axes_[static_cast<std::size_t>(known->second)];
  info.number = size;
  info.home = frame().root;
  return known->second;
}

// Returns true if a number is written as digits, so that it needs no name.
static bool is_literal(const Number& n) {
  return n.code.text.find_first_not_of("0123456789.") == std::string::npos;
}

void Writer::run_axis(const Stmt& stmt) {
  for (std::size_t i = 0; i < stmt.names.size(); ++i) {
    Number size = eval_number(stmt.values[i]);
    if (failed()) return;
    const std::string text = int_text(size.value, size.code);
    if (frame().looping == 0 && !frame().owner) {
      const std::string name = size_attribute(*frame().draft, stmt.names[i]);
      frame().draft->setup.push_back({{name}, fmt::format("{}", text)});
      size = named(size.value, size_name(name));
    } else if (frame().looping == 0 && !is_literal(size)) {
      const std::string name = python_of(stmt.names[i]);
      scope().assign({name}, text);
      size.code = {name, kAtom, true, ""};
    }
    Value v;
    v.kind = Value::Kind::kAxis;
    v.axes = {new_axis(stmt.names[i], size)};
    bind(stmt.names[i], v);
  }
}

Value Writer::assigned(const std::string& name, const Value& value) {
  if (failed() || name == "_") return value;
  if (value.kind == Value::Kind::kNumber) {
    if (frame().looping > 0 || is_literal(value.number) || std::isinf(value.number.value)) return value;
    Value out = value;
    if (!frame().owner) {
      const std::string attr = size_attribute(*frame().draft, name);
      frame().draft->setup.push_back({{attr}, value.number.code.text});
      out.number = named(value.number.value, size_name(attr));
      out.number.code.is_int = out.number.owner.is_int = value.number.code.is_int;
    } else {
      const std::string python = python_of(name);
      scope().assign({python}, value.number.code.text);
      out.number.code = {python, kAtom, value.number.code.is_int, ""};
    }
    return out;
  }
  if (value.kind != Value::Kind::kTensor) return value;
  Tensor x = value.tensor;
  const auto& extra = frame().root->extra_parameters;
  const bool is_parameter =
      std::any_of(extra.begin(), extra.end(), [&](const auto& e) { return e.first == x.text; });
  const bool is_attribute = x.text.starts_with("self.") && identifiers(x.text.substr(5)).size() == 1 &&
                            *identifiers(x.text.substr(5)).begin() == x.text.substr(5);
  if ((is_parameter || is_attribute) && !frame().carries) return value;  // it has a name
  if (at_once_ && at_once_->names.contains(x.text)) {
    // A contraction that was just written takes the name of the program.
    Line& last = scope().lines.back();
    for (AtOnce::Read& read : at_once_->reads)
      if (read.name == x.text && read.fresh && last.targets[0] == x.text) {
        Value out = value;
        read.name = last.targets[0] = out.tensor.text = out.tensor.made_as = frame().root->fresh(name);
        read.value = out.tensor;
        at_once_->names.insert(read.name);
        read.fresh = false;
        return out;
      }
    return value;
  }
  const std::string python = python_of(name);
  const bool past = x.pairs && x.pairs->kind == Pairs::Kind::kPast;
  Tensor made = past ? x.pairs->a : x;
  // In a step, what does not depend on the state is assigned before the scan.
  const bool before_scan =
      in_scan() && made.lead != Tensor::kBatch && frame().looping == 1 && differentiated_.empty();
  Scope& here = before_scan ? *scope().outer : scope();
  if (made.text != python) here.assign({python}, made.text);
  if (made.centred_as == made.text) made.centred_as = python;
  if (made.made_as == made.text) made.made_as = python;
  if (at_once_) at_once_->names.insert(python);
  made.text = python;
  made.rank = kAtom;
  if (differentiated_.contains(name) && in_scan())
    scope().assign({python}, fmt::format("trainable({})", python));
  Value out = value;
  out.tensor = past ? past_of(made, x.window) : made;
  return out;
}

void Writer::run_assign(const Stmt& stmt) {
  frame().label = stmt.targets[0].text;
  const Expr& source = stmt.values[0];
  std::vector<Value> values;
  targets_.clear();
  if (stmt.targets.size() > 1)
    for (const Expr& t : stmt.targets)
      targets_.push_back(t.kind == Expr::Kind::kName && t.text != "_" ? python_of(t.text) : "_");
  if (source.kind == Expr::Kind::kCall)
    values = call_expr(source);
  else
    values.push_back(eval(source));
  targets_.clear();
  if (failed()) return;
  if (values.size() != stmt.targets.size()) {
    poison("a statement has another number of results than names");
    return;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Expr& target = stmt.targets[i];
    if (values[i].kind == Value::Kind::kTensor) values[i].tensor = settled(values[i].tensor);
    if (target.kind == Expr::Kind::kIndex) {
      const auto index = static_cast<std::int64_t>(eval_number(target.args[0]).value);
      const Value v = assigned(fmt::format("{}_{}", target.text, index), values[i]);
      bind("_", v);
      frame().names.back().family_key = fmt::format("{}[{}]", target.text, index);
      continue;
    }
    Binding* carried = find(target.text);
    if (!carried || !carried->may_rebind || target.text == "_") {
      bind(target.text, assigned(target.text, values[i]));
      continue;
    }
    if (values[i].kind == Value::Kind::kTensor) values[i].tensor = use(values[i].tensor);
    // The name gets another value, so values that were made of the old one are no longer rewritten from their
    // parts.
    const std::string python = python_of(target.text);
    for (Binding& b : frame().names)
      if (b.value.kind == Value::Kind::kTensor && b.value.tensor.pairs &&
          b.value.tensor.pairs->kind != Pairs::Kind::kPast)
        b.value.tensor.pairs = nullptr;
    for (Binding& b : frame().names) b.value.tensor.centred.clear();
    if (values[i].kind == Value::Kind::kNumber) {
      scope().assign({python}, values[i].number.code.text);
      values[i].number.code = {python, kAtom, values[i].number.code.is_int, ""};
      values[i].number.owner = literal(values[i].number.value).owner;
      carried->value = values[i];
    } else {
      frame().carries = true;
      const Value v = assigned(target.text, values[i]);
      frame().carries = false;
      find(target.text)->value = v;
    }
  }
}

// ---- Loops ----

namespace {

// Returns true if two statements have the same text. The text of a scan is not known yet.
bool same_text(const Line& a, const Line& b) {
  if (a.scan || b.scan || a.targets != b.targets || a.text != b.text || a.body.size() != b.body.size())
    return false;
  for (std::size_t i = 0; i < a.body.size(); ++i)
    if (!same_text(a.body[i], b.body[i])) return false;
  return true;
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

void replace_all(Line& line, const std::string& from, const std::string& to) {
  replace_all(line.text, from, to);
  for (Line& inner : line.body) replace_all(inner, from, to);
  if (line.step)
    for (Line& inner : *line.step) replace_all(inner, from, to);
}

void collect_targets(const Line& line, std::vector<std::string>& out) {
  for (const std::string& t : line.targets)
    if (std::find(out.begin(), out.end(), t) == out.end()) out.push_back(t);
  for (const Line& inner : line.body) collect_targets(inner, out);
}

}  // namespace

// Loops are unrolled, as in elaboration. If all repetitions have the same text and add nothing to __init__,
// one of them is kept in a loop.
void Writer::run_for(const Stmt& stmt) {
  const Number count = eval_number(stmt.values[0]);
  std::vector<Value> carried;
  for (std::size_t i = 1; i < stmt.names.size(); ++i) {
    frame().label = stmt.names[i];
    Value v = eval(stmt.values[i]);
    if (failed()) return;
    const std::string python = python_of(stmt.names[i]);
    if (v.kind == Value::Kind::kNumber || v.kind == Value::Kind::kAxis) {
      Number n = as_number(v);
      scope().assign({python}, n.code.text);
      n.code = {python, kAtom, n.code.is_int, ""};
      n.owner = literal(n.value).owner;
      v.kind = Value::Kind::kNumber;
      v.number = n;
      v.axes.clear();
    } else if (v.kind == Value::Kind::kTensor) {
      v.tensor = use(v.tensor);
      frame().carries = true;
      v = assigned(stmt.names[i], v);
      frame().carries = false;
    }
    bind(stmt.names[i], v);
    frame().names.back().may_rebind = true;
  }
  const std::size_t carried_end = frame().names.size();
  const std::size_t carried_begin = carried_end - (stmt.names.size() - 1);
  const std::string index = frame().root->fresh(stmt.names[0]);
  const std::string mark = "\x06" + index + "\x07";  // becomes the index of a loop, or a number
  Scope& here = scope();
  const std::size_t begin = here.lines.size();
  std::vector<std::size_t> ends{begin};  // of the lines of each repetition, after the begin of the first
  Draft* draft = owner().draft;
  const std::size_t setup_before = draft->setup.size();
  ++frame().looping;
  const auto n = static_cast<std::int64_t>(count.value);
  for (std::int64_t i = 0; i < n && !failed(); ++i) {
    const std::size_t setup = draft->setup.size(), extra = frame().root->extra_parameters.size();
    Value v;
    v.kind = Value::Kind::kNumber;
    v.number = at_once_ ? literal(static_cast<double>(i)) : named(static_cast<double>(i), mark);
    bind(stmt.names[0], v);
    run_block(stmt.body);
    auto& names = frame().names;
    std::vector<Binding> families;
    for (std::size_t k = carried_end; k < names.size(); ++k)
      if (!names[k].family_key.empty()) families.push_back(names[k]);
    names.resize(carried_end);
    names.insert(names.end(), families.begin(), families.end());
    ends.push_back(here.lines.size());
    const std::string shown = fmt::format("{}", i);
    for (std::size_t k = setup; k < draft->setup.size(); ++k) replace_all(draft->setup[k].text, mark, shown);
    for (std::size_t k = extra; k < frame().root->extra_parameters.size(); ++k)
      replace_all(frame().root->extra_parameters[k].second, mark, shown);
  }
  --frame().looping;
  for (std::size_t i = carried_begin; i < carried_end && i < frame().names.size(); ++i)
    frame().names[i].may_rebind = false;
  if (failed()) return;
  bool uniform = n > 1 && !at_once_ && draft->setup.size() == setup_before;
  const std::size_t lines_each = n > 0 ? ends[1] - begin : 0;
  for (std::int64_t i = 1; i < n && uniform; ++i) {
    uniform = ends[i + 1] - ends[i] == lines_each;
    for (std::size_t k = 0; k < lines_each && uniform; ++k)
      uniform = same_text(here.lines[begin + k], here.lines[ends[i] + k]);
  }
  if (uniform && lines_each > 0) {
    Line loop;
    loop.text = fmt::format("for {} in range({}):", index, int_text(count.value, count.code));
    loop.body.assign(here.lines.begin() + static_cast<std::ptrdiff_t>(begin),
                     here.lines.begin() + static_cast<std::ptrdiff_t>(begin + lines_each));
    for (Line& line : loop.body) replace_all(line, mark, index);
    for (const Line& line : loop.body) collect_targets(line, loop.targets);
    here.lines.resize(begin);
    here.lines.push_back(std::move(loop));
    return;
  }
  for (std::int64_t i = 0; i < n; ++i)
    for (std::size_t k = ends[i]; k < ends[i + 1]; ++k)
      replace_all(here.lines[k], mark, fmt::format("{}", i));
}

}  // namespace gabbro::pytorch
