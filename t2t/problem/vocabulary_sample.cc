#include "t2t/problem/vocabulary_sample.h"

#include "t2t/text/unicode.h"

namespace t2t {

bool VocabularySample::Next(std::string* line) {
  for (;;) {
    if (lines_ == nullptr) {
      if (next_ == texts_.size()) return false;
      const SampledText& text = texts_[next_++];
      lines_ = text.open();
      budget_ = file_budget_;
      skipped_ = 0;
      skip_ = static_cast<int64_t>(static_cast<double>(text.bytes) /
                                   file_budget_ / 2);
    }
    if (!lines_(line)) {
      lines_ = nullptr;
    } else if (skipped_ < skip_) {
      ++skipped_;
    } else if (budget_ <= 0) {
      lines_ = nullptr;
    } else {
      *line = std::string(StripPythonSpace(*line));
      budget_ -= static_cast<double>(CountCodePoints(*line));
      skipped_ = 0;
      return true;
    }
  }
}

}  // namespace t2t
