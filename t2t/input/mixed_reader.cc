#include "t2t/input/mixed_reader.h"

#include <cstddef>
#include <numeric>
#include <utility>

#include "t2t/base/error.h"

namespace t2t {
namespace {

// Files of a member that are read in turn, a record from each.
constexpr size_t kOpenFiles = 8;

}  // namespace

MixedReader::MixedReader(const InputOptions& options) : options_(options) {
  uint32_t first = 0;
  for (const InputMember& member : options_.members) {
    members_.push_back({first, 0, nullptr});
    first += static_cast<uint32_t>(member.files);
  }
}

void MixedReader::OpenEpoch(size_t i) {
  Member& member = members_[i];
  std::vector<uint32_t> order(options_.members[i].files);
  std::iota(order.begin(), order.end(), member.first_file);
  const uint64_t seed =
      Rng::Combine(Rng::Combine(Rng::Combine(options_.seed, "member"), i),
                   static_cast<uint64_t>(member.epoch));
  Rng(seed).Shuffle(&order);
  member.reader = std::make_unique<TurnReader>(options_.files, std::move(order),
                                               kOpenFiles);
}

void MixedReader::Restore(const std::vector<MemberPosition>& members,
                          int64_t drawn) {
  drawn_ = drawn;
  for (size_t i = 0; i < members_.size(); ++i) {
    members_[i].epoch = members.empty() ? 0 : members[i].epoch;
    OpenEpoch(i);
    if (!members.empty()) members_[i].reader->Restore(members[i]);
  }
}

void MixedReader::Save(std::vector<MemberPosition>* members,
                       int64_t* drawn) const {
  *drawn = drawn_;
  members->resize(members_.size());
  for (size_t i = 0; i < members_.size(); ++i) {
    (*members)[i].epoch = members_[i].epoch;
    members_[i].reader->Save(&(*members)[i]);
  }
}

void MixedReader::BeginWindow(uint64_t seed, int64_t batches) {
  rng_ = Rng(Rng::Combine(seed, "members"));
  batches_ = batches;
  in_window_.assign(members_.size(), 0);
}

size_t MixedReader::Draw() {
  const std::vector<double> rates = options_.rates(drawn_, batches_);
  double left = rng_.Uniform();
  // The last that has a rate, where rounding leaves a rest.
  size_t last = 0;
  for (size_t i = 0; i < rates.size(); ++i) {
    if (rates[i] <= 0) continue;
    last = i;
    if (left < rates[i]) return i;
    left -= rates[i];
  }
  return last;
}

bool MixedReader::Next(RawRecord* record) {
  const size_t i = Draw();
  Member& member = members_[i];
  ++drawn_;
  ++in_window_[i];
  if (!member.reader->Next(record)) {
    ++member.epoch;
    OpenEpoch(i);
    if (!member.reader->Next(record)) {
      throw DataError("the data files of " + options_.members[i].name +
                          " have no example (" +
                          options_.files[member.first_file] + ", ...)",
                      "at least one", "run t2t-datagen again");
    }
  }
  record->epoch = member.epoch;
  return true;
}

}  // namespace t2t
