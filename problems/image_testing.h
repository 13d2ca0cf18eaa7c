#ifndef PROBLEMS_IMAGE_TESTING_H_
#define PROBLEMS_IMAGE_TESTING_H_

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "problems/archive_testing.h"
#include "t2t/formats/jpeg.h"
#include "t2t/formats/png.h"

namespace t2t {

using Ints = std::vector<int64_t>;

// Of one colour, but for its first pixel.
inline Image Plain(int64_t height, int64_t width, uint8_t grey) {
  Image image = {height, width, 3, {}};
  image.pixels.assign(static_cast<size_t>(height * width * 3), grey);
  image.pixels[0] = 0;
  return image;
}

inline std::string Png(int64_t height, int64_t width, uint8_t grey) {
  return EncodePng(Plain(height, width, grey));
}

inline std::string Jpeg(int64_t height, int64_t width, uint8_t grey) {
  return EncodeJpeg(Plain(height, width, grey), 95);
}

class ImageArchivesTest : public ArchiveTest {
 protected:
  // The example as the problem's model gets it.
  static Example Made(const std::string& name, Example record,
                      Mode mode = Mode::kEval) {
    EXPECT_TRUE(MakeProblem(name)->Preprocess(&record, mode, HParams(), 5));
    return record;
  }

  // An archive's bytes, to be put into another.
  std::string Archive(const std::vector<NamedText>& files) const {
    PutArchive("inner", files);
    const std::string path = options_.tmp_dir + "/inner";
    std::string bytes = ReadFile(path);
    RemoveFile(path);
    return bytes;
  }

  std::multiset<int64_t> Labels(const std::string& name,
                                DataSplit split) const {
    std::multiset<int64_t> labels;
    for (const Example& example : Examples(name, split)) {
      labels.insert(example.Ints("image/class/label").at(0));
    }
    return labels;
  }
};

}  // namespace t2t

#endif  // PROBLEMS_IMAGE_TESTING_H_
