// Rooms (Yu et al. 2015, "LSUN", arXiv:1506.03365). T2T's
// data_generators/image_lsun.py, which says of no feature what it is to a
// model: the images have no one size, and the data are for a problem of one's
// own.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "problems/all_problems.h"
#include "problems/corpora.h"
#include "t2t/base/error.h"
#include "t2t/formats/lmdb.h"
#include "t2t/formats/png.h"
#include "t2t/formats/webp.h"
#include "t2t/problem/image_kinds.h"
#include "t2t/problem/image_samples.h"

namespace t2t {
namespace {

constexpr char kEncoded[] = "image/encoded";

NextExample ReadLsun(const SampleFiles& files) {
  const std::string path = files.Paths().at(0);
  auto reader = std::make_shared<LmdbReader>(path);
  return [path, reader](Example* sample) {
    std::string key;
    std::string webp;
    if (!reader->Next(&key, &webp)) return false;
    *sample = ImageSample(std::move(webp), path + ": " + key);
    sample->features["image/class/label"] = std::vector<int64_t>{0};
    return true;
  };
}

// Other programs read PNGs, and no WebPs.
void WebpToPng(Example* sample) {
  std::string& encoded =
      std::get<std::vector<std::string>>(sample->features.at(kEncoded)).at(0);
  try {
    encoded = EncodePng(DecodeWebp(encoded));
  } catch (const Error& error) {
    throw Error(error.code(),
                sample->Strings("where").at(0) + ": " + error.what());
  }
  CheckImage(sample);
}

Problem Bedrooms() {
  Problem problem = ImageProblem("image_lsun_bedrooms", "image_lsun_bedrooms");
  problem.corpora = {Train(CorpusNamed("lsun_bedroom_train")),
                     Dev(CorpusNamed("lsun_bedroom_dev"))};
  problem.splits = ShuffledSplits(100, 1);
  ReadBy({.read = ReadLsun, .finish = WebpToPng}, &problem);
  return problem;
}

}  // namespace

void RegisterImageLsun(ProblemRegistry& problems) {
  problems.Add("image_lsun_bedrooms", Bedrooms);
}

}  // namespace t2t
