#ifndef T2T_FORMATS_IMAGE_FILES_H_
#define T2T_FORMATS_IMAGE_FILES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "t2t/formats/png.h"

namespace t2t {

// Square images of one size, each with a label, in memory.
class LabelledImages {
 public:
  virtual ~LabelledImages() = default;
  virtual size_t count() const = 0;
  virtual Image image(size_t i) const = 0;
  virtual int64_t label(size_t i) const = 0;
  // What tells the files apart from others.
  virtual std::vector<std::string> sums() const = 0;
};

// MNIST's files: IDX of bytes [n, side, side], and [n]; compressed or not. Each
// throws a DataError where a file is none, is cut, or has a label that is no
// class.
std::unique_ptr<LabelledImages> ReadIdxImages(const std::string& images,
                                              const std::string& labels,
                                              int64_t side, int64_t classes);
// CIFAR's binary files, one after another: a byte for each kind of label, then
// side * side bytes each of red, green and blue. `kinds`: of CIFAR-10 1, of
// CIFAR-100 2 (coarse, fine); `kind`: which of them to take.
std::unique_ptr<LabelledImages> ReadCifar(const std::vector<std::string>& paths,
                                          int64_t side, int64_t classes,
                                          int64_t kinds = 1, int64_t kind = 0);

}  // namespace t2t

#endif  // T2T_FORMATS_IMAGE_FILES_H_
