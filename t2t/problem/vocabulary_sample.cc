#include "t2t/problem/vocabulary_sample.h"

#include "t2t/text/unicode.h"

namespace t2t {

bool VocabularySample::Next(std::string* line) {
  for (;;) {
    if (!reader_) {
      if (next_ == files_.size()) return false;
      const SampledFile& file = files_[next_++];
      reader_.emplace(file.path);
      budget_ = file_budget_;
      skipped_ = 0;
      skip_ = static_cast<int64_t>(static_cast<double>(file.bytes) /
                                   file_budget_ / 2);
    }
    if (!reader_->Next(line)) {
      reader_.reset();
    } else if (skipped_ < skip_) {
      ++skipped_;
    } else if (budget_ <= 0) {
      reader_.reset();
    } else {
      *line = std::string(StripPythonSpace(*line));
      budget_ -= static_cast<double>(CountCodePoints(*line));
      skipped_ = 0;
      return true;
    }
  }
}

}  // namespace t2t
