#include "t2t/formats/image_files.h"

#include <string_view>
#include <utility>

#include "t2t/base/crc32c.h"
#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/formats/text_reader.h"

namespace t2t {
namespace {

constexpr int64_t kColours = 3;
constexpr char kTodo[] = "get it again";

std::string SumOf(std::string_view bytes) {
  return Format("%08x", static_cast<unsigned>(Crc32c(bytes)));
}

void CheckLabel(int64_t label, int64_t classes, size_t i,
                const std::string& path) {
  if (label < classes) return;
  throw DataError("label " + std::to_string(i) + " of " + path + " is " +
                      std::to_string(label),
                  "0 to " + std::to_string(classes - 1), kTodo);
}

uint32_t BigEndian(std::string_view bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) {
    value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  }
  return value;
}

// An IDX file of bytes; shape: of one item.
struct IdxFile {
  std::string contents;
  size_t count = 0;
  size_t item_size = 1;

  std::string_view Item(size_t i) const {
    const size_t header = contents.size() - count * item_size;
    return std::string_view(contents).substr(header + i * item_size, item_size);
  }
};

IdxFile ReadIdx(const std::string& path, const std::vector<int64_t>& shape) {
  IdxFile file;
  file.contents = ReadText(path);
  const size_t header = 4 * (2 + shape.size());
  const uint32_t magic = 0x800 + 1 + static_cast<uint32_t>(shape.size());
  bool good =
      file.contents.size() >= header && BigEndian(file.contents, 0) == magic;
  if (good) file.count = BigEndian(file.contents, 4);
  std::string expected = "an IDX file of bytes [n";
  for (size_t i = 0; i < shape.size(); ++i) {
    file.item_size *= static_cast<size_t>(shape[i]);
    good = good && BigEndian(file.contents, 8 + 4 * i) == shape[i];
    expected += ", " + std::to_string(shape[i]);
  }
  // The count comes from the file, so the size is divided, not it multiplied.
  const size_t body = good ? file.contents.size() - header : 0;
  if (!good || body % file.item_size != 0 ||
      body / file.item_size != file.count || file.count == 0) {
    throw DataError(path + " is no such file, or is cut", expected + "]",
                    kTodo);
  }
  return file;
}

class IdxImages : public LabelledImages {
 public:
  IdxImages(IdxFile images, IdxFile labels, int64_t side)
      : images_(std::move(images)), labels_(std::move(labels)), side_(side) {}

  size_t count() const override { return images_.count; }

  Image image(size_t i) const override {
    const std::string_view item = images_.Item(i);
    return {side_, side_, 1, {item.begin(), item.end()}};
  }

  int64_t label(size_t i) const override {
    return static_cast<unsigned char>(labels_.Item(i)[0]);
  }

  std::vector<std::string> sums() const override {
    return {SumOf(images_.contents), SumOf(labels_.contents)};
  }

 private:
  IdxFile images_;
  IdxFile labels_;
  int64_t side_;
};

class CifarImages : public LabelledImages {
 public:
  CifarImages(std::string records, int64_t side, int64_t kinds, int64_t kind,
              std::vector<std::string> sums)
      : records_(std::move(records)),
        side_(side),
        kinds_(kinds),
        kind_(kind),
        sums_(std::move(sums)) {}

  size_t count() const override { return records_.size() / record_size(); }

  Image image(size_t i) const override {
    const auto plane = static_cast<size_t>(side_ * side_);
    const char* const planes = records_.data() + i * record_size() + kinds_;
    Image image = {side_, side_, kColours, {}};
    image.pixels.resize(plane * kColours);
    for (size_t colour = 0; colour < kColours; ++colour) {
      for (size_t pixel = 0; pixel < plane; ++pixel) {
        image.pixels[pixel * kColours + colour] =
            static_cast<uint8_t>(planes[colour * plane + pixel]);
      }
    }
    return image;
  }

  int64_t label(size_t i) const override {
    return static_cast<unsigned char>(
        records_[i * record_size() + static_cast<size_t>(kind_)]);
  }

  std::vector<std::string> sums() const override { return sums_; }

 private:
  size_t record_size() const {
    return static_cast<size_t>(kinds_ + side_ * side_ * kColours);
  }

  std::string records_;
  int64_t side_;
  int64_t kinds_;
  int64_t kind_;
  std::vector<std::string> sums_;
};

}  // namespace

std::unique_ptr<LabelledImages> ReadIdxImages(const std::string& images,
                                              const std::string& labels,
                                              int64_t side, int64_t classes) {
  IdxFile image_file = ReadIdx(images, {side, side});
  IdxFile label_file = ReadIdx(labels, {});
  if (image_file.count != label_file.count) {
    throw DataError(images + " has " + std::to_string(image_file.count) +
                        " images and " + labels + " has " +
                        std::to_string(label_file.count) + " labels",
                    "a label for each image", "get the files again");
  }
  auto set = std::make_unique<IdxImages>(std::move(image_file),
                                         std::move(label_file), side);
  for (size_t i = 0; i < set->count(); ++i) {
    CheckLabel(set->label(i), classes, i, labels);
  }
  return set;
}

std::unique_ptr<LabelledImages> ReadCifar(const std::vector<std::string>& paths,
                                          int64_t side, int64_t classes,
                                          int64_t kinds, int64_t kind) {
  const auto record = static_cast<size_t>(kinds + side * side * kColours);
  std::string records;
  std::vector<std::string> sums;
  for (const std::string& path : paths) {
    const std::string contents = ReadText(path);
    if (contents.empty() || contents.size() % record != 0) {
      throw DataError(path + " is no such file, or is cut: it has " +
                          std::to_string(contents.size()) + " bytes",
                      "CIFAR's binary version: " + std::to_string(record) +
                          " bytes an image",
                      kTodo);
    }
    for (size_t i = 0; i < contents.size() / record; ++i) {
      CheckLabel(static_cast<unsigned char>(
                     contents[i * record + static_cast<size_t>(kind)]),
                 classes, i, path);
    }
    sums.push_back(SumOf(contents));
    records += contents;
  }
  return std::make_unique<CifarImages>(std::move(records), side, kinds, kind,
                                       std::move(sums));
}

}  // namespace t2t
