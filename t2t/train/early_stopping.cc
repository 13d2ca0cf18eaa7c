#include "t2t/train/early_stopping.h"

#include <cstddef>

namespace t2t {

bool EarlyStopping::Plateaued() const {
  if (num_steps_ <= 0 || history_.size() < 2) return false;
  const int64_t until = history_.back().first - num_steps_;
  size_t start = history_.size();
  for (size_t i = 0; i < history_.size(); ++i) {
    if (history_[i].first <= until) start = i;
  }
  if (start == history_.size()) return false;  // not enough steps yet
  for (size_t i = start; i < history_.size(); ++i) {
    const double gain = minimize_ ? history_[start].second - history_[i].second
                                  : history_[i].second - history_[start].second;
    if (gain >= delta_) return false;
  }
  return true;
}

Json EarlyStopping::ToJson() const {
  Json all = Json::Array();
  for (const auto& [step, value] : history_) {
    Json pair = Json::Array();
    pair.Append(step);
    pair.Append(value);
    all.Append(std::move(pair));
  }
  return all;
}

void EarlyStopping::Load(const Json& json) {
  history_.clear();
  for (const Json& pair : json.items()) {
    history_.emplace_back(pair.items().at(0).AsInt(),
                          pair.items().at(1).AsDouble());
  }
}

}  // namespace t2t
