#ifndef T2T_SERVE_FAKE_SERVABLE_H_
#define T2T_SERVE_FAKE_SERVABLE_H_

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/strings.h"
#include "t2t/serve/servable.h"

namespace t2t {

// What tests make a fake model do.
struct FakeControl {
  std::atomic<bool> closed{false};  // while true, no batch ends
  std::atomic<int> loads{0};
  std::atomic<int> batches{0};  // begun
  std::atomic<int> dropped{0};  // rows that were gone before their batch ended
  int64_t beams = 0;
  bool gives_class = false;
};

// Says a text's bytes again, and the contents of the folder's file "says"
// behind them; nothing to white space. An Example is the letters 'e' and its
// bytes.
class FakeServable : public Servable {
 public:
  FakeServable(const std::string& path, FakeControl* control)
      : control_(control), says_(Trim(ReadFile(JoinPath(path, "says")))) {
    ++control_->loads;
    if (says_ == "broken") throw MismatchError("the weights are broken");
  }

  std::string Description() const override { return "fake " + says_; }
  Ids Encode(std::string_view text) const override {
    if (Trim(text).empty()) return {};
    return Ids(text.begin(), text.end());
  }
  Ids EncodeExample(std::string_view bytes) const override {
    if (bytes == "bad") throw DataError("this is no Example");
    if (bytes.empty()) return {};
    return Encode("e" + std::string(bytes));
  }
  std::string Decode(const Ids& ids) const override {
    return std::string(ids.begin(), ids.end());
  }
  std::vector<Prediction> Predict(const std::vector<Ids>& rows,
                                  const IsGone& is_gone) override {
    ++control_->batches;
    std::vector<bool> gone(rows.size());
    while (control_->closed) {
      for (size_t i = 0; i < rows.size(); ++i) {
        if (gone[i] || !is_gone(i)) continue;
        gone[i] = true;
        ++control_->dropped;
      }
      if (std::find(gone.begin(), gone.end(), false) == gone.end()) {
        return std::vector<Prediction>(rows.size());
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    std::vector<Prediction> predictions;
    for (const Ids& row : rows) {
      if (Decode(row) == "fail") throw DataError("a secret of the model");
      Prediction& prediction = predictions.emplace_back();
      for (int64_t i = 0; i < std::max<int64_t>(beams(), 1); ++i) {
        Ids ids = row;
        ids.insert(ids.end(), says_.begin(), says_.end());
        ids.insert(ids.end(), i, '!');
        prediction.hypotheses.push_back(
            {std::move(ids), -0.1F - static_cast<float>(i)});
      }
    }
    return predictions;
  }
  // Each symbol looks at its like, or at all of them alike.
  std::optional<AttentionWeights> Attend(const Ids& input,
                                         const Ids& output) const override {
    if (says_ == "blind") return std::nullopt;
    AttentionWeights attention;
    for (const int64_t id : input) attention.inputs.push_back(Decode({id}));
    for (const int64_t id : output) attention.outputs.push_back(Decode({id}));
    attention.layers = 1;
    attention.heads = 1;
    for (size_t i = 0; i < output.size(); ++i) {
      for (size_t j = 0; j < input.size(); ++j) {
        attention.weights.push_back(
            i < input.size() ? (i == j ? 1.F : 0.F)
                             : 1.F / static_cast<float>(input.size()));
      }
    }
    return attention;
  }
  int64_t beams() const override { return control_->beams; }
  bool gives_class() const override { return control_->gives_class; }

 private:
  FakeControl* control_;
  std::string says_;
};

// Writes a version's folder so that it is there at once.
inline void WriteFakeVersion(const std::string& base, int64_t version,
                             const std::string& says) {
  const std::string path = JoinPath(base, std::to_string(version));
  MakeDirectories(path + ".tmp");
  WriteFileAtomically(JoinPath(path + ".tmp", "says"), says);
  RemoveTree(path);
  Rename(path + ".tmp", path);
}

}  // namespace t2t

#endif  // T2T_SERVE_FAKE_SERVABLE_H_
