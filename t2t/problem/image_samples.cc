#include "t2t/problem/image_samples.h"

#include <memory>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/strings.h"
#include "t2t/formats/archive.h"
#include "t2t/formats/encoded_image.h"
#include "t2t/formats/tfrecord.h"
#include "t2t/problem/line_samples.h"

namespace t2t {
namespace {

constexpr char kEncoded[] = "image/encoded";
// Of a sample that has not been looked at.
constexpr char kWhere[] = "where";
// (How many channels an image has does not matter here.)
constexpr int kChannels = 3;

// Goes through archives, and through the archives in them.
class Members {
 public:
  Members(std::vector<std::string> paths, MakeOfMember make)
      : paths_(std::move(paths)), make_(std::move(make)) {}

  // Adds what the next member becomes; false at the end.
  bool Next(std::vector<Example>* samples) {
    std::string member;
    std::string bytes;
    if (inner_ != nullptr) {
      if (inner_->Next(&member, &bytes)) {
        make_(member, inner_name_ + ": " + member, std::move(bytes), samples);
        return true;
      }
      inner_ = nullptr;
    }
    for (;;) {
      if (outer_ == nullptr) {
        if (next_ == paths_.size()) return false;
        outer_ = std::make_unique<ArchiveReader>(paths_[next_++]);
      }
      if (outer_->Next(&member, &bytes)) break;
      outer_ = nullptr;
    }
    const std::string where = paths_[next_ - 1] + ": " + member;
    if (EndsWith(member, ".tar")) {
      inner_bytes_ = std::move(bytes);
      inner_name_ = where;
      inner_ = std::make_unique<ArchiveReader>(inner_name_, inner_bytes_);
      return true;
    }
    make_(member, where, std::move(bytes), samples);
    return true;
  }

 private:
  std::vector<std::string> paths_;
  MakeOfMember make_;
  size_t next_ = 0;
  std::unique_ptr<ArchiveReader> outer_;
  std::string inner_name_;
  std::string inner_bytes_;
  std::unique_ptr<ArchiveReader> inner_;
};

}  // namespace

Example ImageSample(std::string encoded, const std::string& where) {
  Example sample;
  sample.features[kEncoded] = std::vector<std::string>{std::move(encoded)};
  sample.features[kWhere] = std::vector<std::string>{where};
  return sample;
}

void CheckImage(Example* sample) {
  const std::string where = sample->Strings(kWhere).at(0);
  const std::string& encoded = sample->Strings(kEncoded).at(0);
  Image image;
  try {
    image = DecodeEncodedImage(encoded, kChannels);
  } catch (const Error& error) {
    throw Error(error.code(), where + ": " + error.what());
  }
  sample->features["image/format"] =
      std::vector<std::string>{ImageFormat(encoded)};
  sample->features["image/height"] = std::vector<int64_t>{image.height};
  sample->features["image/width"] = std::vector<int64_t>{image.width};
  sample->features.erase(kWhere);
}

NextExample SamplesOfArchives(std::vector<std::string> paths,
                              MakeOfMember make) {
  auto members = std::make_shared<Members>(std::move(paths), std::move(make));
  return SamplesOfGroups([members](std::vector<Example>* samples) {
    return members->Next(samples);
  });
}

NextExample SamplesOfShards(std::vector<std::string> paths, MakeOfRecord make) {
  std::shared_ptr<TfRecordReader> reader;
  return [paths = std::move(paths), make = std::move(make), next = size_t{0},
          reader](Example* example) mutable {
    std::string record;
    for (;;) {
      if (reader == nullptr) {
        if (next == paths.size()) return false;
        reader = std::make_shared<TfRecordReader>(paths[next++]);
      }
      const std::string where = reader->path() + ", record at byte " +
                                std::to_string(reader->offset());
      if (!reader->Next(&record)) {
        reader = nullptr;
        continue;
      }
      try {
        *example = ParseExample(record);
        make(where, example);
        return true;
      } catch (const Error& error) {
        throw Error(error.code(), where + ": " + error.what());
      }
    }
  };
}

}  // namespace t2t
