// Images with text: captions (Chen et al. 2015, "Microsoft COCO Captions",
// arXiv:1504.00325), street signs (Smith et al. 2016, "End-to-End
// Interpretation of the French Street Name Signs Dataset", arXiv:1702.03970),
// lines of print. T2T's data_generators/mscoco.py, fsns.py and ocr.py. Where
// T2T's differ:
// - characters are the ids by which their encoder reads them back, and end with
//   EOS; T2T writes code points of captions, and bytes of ocr_test without EOS;
// - the signs' text is taken from the field that the published shards have;
//   T2T's reader looks for one that isn't there;
// - image_text_ms_coco_multi_resolution has the sides 8, 16 and 32, which T2T
//   takes from an hparam that no set has; pixels are kept between 0 and 255.

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "problems/all_problems.h"
#include "problems/corpora.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/base/strings.h"
#include "t2t/formats/text_reader.h"
#include "t2t/problem/image_kinds.h"
#include "t2t/problem/image_samples.h"
#include "t2t/problem/line_samples.h"
#include "t2t/problem/record_fields.h"
#include "t2t/problem/text_kinds.h"
#include "t2t/text/unicode.h"

namespace t2t {
namespace {

using Strings = std::vector<std::string>;

constexpr char kLabel[] = "image/class/label";
// T2T's SpaceIDs.
constexpr int64_t kEnglishCharacters = 2;
constexpr int64_t kEnglishTokens = 3;
// T2T takes so many images.
constexpr size_t kTrainImages = 80000;
constexpr size_t kDevImages = 40000;

// T2T's Image2TextProblem: the text is in the records' image/class/label.
Problem ImageToText(const std::string& name, const std::string& data,
                    const ImageShape& shape, const Vocabulary& vocabulary,
                    int64_t space_id) {
  Problem problem = ImageProblem(name, data);
  problem.features["inputs"] = ImageFeature("image", shape, kImageSpace);
  FeatureSpec& targets = problem.features["targets"];
  targets.vocabulary = vocabulary;
  targets.space_id = space_id;
  return problem;
}

// Of the first `most` images that the file lists.
std::map<std::string, Strings> ReadCaptions(const std::string& path,
                                            size_t most) {
  std::map<std::string, Strings> captions;
  try {
    const Json json = Json::Parse(ReadText(path));
    std::map<int64_t, std::string> names;
    for (const Json& image : json.At("images").items()) {
      if (names.size() == most) break;
      names[image.At("id").AsInt()] = image.At("file_name").AsString();
    }
    for (const Json& caption : json.At("annotations").items()) {
      const auto name = names.find(caption.At("image_id").AsInt());
      if (name == names.end()) continue;
      captions[name->second].push_back(caption.At("caption").AsString());
    }
  } catch (const Error& error) {
    throw Error(error.code(), path + ": " + error.what());
  }
  return captions;
}

// A sample for each caption of an image.
NextExample ReadCoco(const SampleFiles& files) {
  const size_t most =
      files.split == DataSplit::kTrain ? kTrainImages : kDevImages;
  return SamplesOfArchives(
      {files.Path("2014.zip")},
      [captions = ReadCaptions(files.Path(".json"), most)](
          const std::string& member, const std::string& where,
          std::string bytes, std::vector<Example>* samples) {
        const auto found = captions.find(BaseName(member));
        if (found == captions.end()) return;
        for (const std::string& caption : found->second) {
          Example sample = ImageSample(bytes, where);
          sample.features["targets"] = Strings{caption};
          samples->push_back(std::move(sample));
        }
      });
}

Problem Coco(const std::string& name, const std::string& data,
             const ImageShape& shape, bool characters) {
  Problem problem =
      ImageToText(name, data, shape,
                  characters ? Bytes() : VocabularyOf("translate_ende_wmt32k"),
                  characters ? kEnglishCharacters : kEnglishTokens);
  problem.corpora = {Train(CorpusNamed("coco_images_train")),
                     Train(CorpusNamed("coco_captions_train")),
                     Dev(CorpusNamed("coco_images_dev")),
                     Dev(CorpusNamed("coco_captions_dev"))};
  problem.splits = ShuffledSplits(100, 10);
  problem.regroup = WriteAs("targets", kLabel);
  ReadBy({.read = ReadCoco, .finish = CheckImage}, &problem);
  return problem;
}

Problem CocoCaptions(const std::string& name, bool characters) {
  const ImageShape shape = {299, 299, 3};
  Problem problem = Coco(name, name, shape, characters);
  problem.steps = {
      TakeFields({{kLabel, "targets"}}),
      MakePictures({},
                   {{.name = "inputs",
                     .shape = shape,
                     .changes = {ForImagenet(299, /*normalized=*/true)},
                     .floats = true}},
                   /*draws=*/true)};
  return problem;
}

// Images out of text, by "_rev".
Problem CocoImages(const std::string& name, const ImageShape& shape,
                   const PictureChange& change) {
  Problem problem = Coco(name, "image_ms_coco_tokens32k", shape, false);
  problem.steps = {
      TakeFields({{kLabel, "targets"}}),
      MakePictures({}, {{"inputs", shape, {change}}}, /*draws=*/false)};
  return problem;
}

// Characters of a sign, an id each, out of a list of "<id>\t<character>".
class SignEncoder : public TextEncoder {
 public:
  explicit SignEncoder(const std::string& path) {
    FileLine line = {{}, path, 0};
    for (const std::string& text : ReadTextLines(path)) {
      ++line.number;
      line.text = text;
      const size_t tab = text.find('\t');
      int64_t id = 0;
      if (tab == std::string::npos || !ParseInt(text.substr(0, tab), &id) ||
          id != static_cast<int64_t>(characters_.size())) {
        throw BadLine(
            line, "is no line of a list of characters",
            std::to_string(characters_.size()) + ", a tab and a character");
      }
      characters_.push_back(text.substr(tab + 1));
    }
    if (characters_.empty()) {
      throw DataError(path + " is empty", "the characters of FSNS");
    }
    for (size_t i = 0; i < characters_.size(); ++i) {
      ids_.emplace(characters_[i], static_cast<int64_t>(i));
    }
  }

  std::vector<int64_t> Encode(std::string_view text) const override {
    std::vector<int64_t> ids;
    for (size_t at = 0; at < text.size();) {
      const size_t begin = at;
      NextCodePoint(text, &at);
      const auto found = ids_.find(std::string(text.substr(begin, at - begin)));
      if (found == ids_.end()) {
        throw DataError("the character '" +
                            std::string(text.substr(begin, at - begin)) +
                            "' is on no sign",
                        "characters of charset_size134.txt");
      }
      ids.push_back(found->second);
    }
    return ids;
  }

  std::string Decode(const std::vector<int64_t>& ids,
                     bool /*strip_extraneous*/) const override {
    return Join(DecodeList(ids), "");
  }

  Strings DecodeList(const std::vector<int64_t>& ids) const override {
    Strings characters;
    for (const int64_t id : ids) {
      const bool known = id >= 0 && id < vocab_size();
      characters.push_back(known ? characters_[static_cast<size_t>(id)] : "");
    }
    return characters;
  }

  int64_t vocab_size() const override {
    return static_cast<int64_t>(characters_.size());
  }

 private:
  Strings characters_;
  std::map<std::string, int64_t> ids_;
};

NextExample ReadSigns(const SampleFiles& files) {
  Strings paths = files.Paths();
  std::erase_if(paths, [](const std::string& path) {
    return path.find("charset") != std::string::npos;
  });
  return SamplesOfShards(std::move(paths), [](const std::string& where,
                                              Example* example) {
    const char* const field = example->Has("image/unpadded_class")
                                  ? "image/unpadded_class"
                                  : "image/unpadded_label";
    Example taken = ImageSample(example->Strings("image/encoded").at(0), where);
    taken.features["image/unpadded_label"] = example->Ints(field);
    *example = std::move(taken);
  });
}

Problem Signs(const std::string& name) {
  const ImageShape shape = {150, 600, 3};
  Vocabulary characters;
  characters.kind = Vocabulary::Kind::kCustom;
  characters.file = "charset_size134.txt";
  characters.list_file = "charset_size134.txt";
  characters.load = [](const std::string& path) {
    return std::make_shared<SignEncoder>(path);
  };
  Problem problem = ImageToText(name, name, shape, characters, kEnglishTokens);
  problem.features.at("targets").ends_at_eos = false;
  problem.corpora = {OfAll(CorpusNamed("fsns_characters")),
                     Train(CorpusNamed("fsns_train")),
                     Dev(CorpusNamed("fsns_dev"))};
  problem.splits = ShuffledSplits(512, 64);
  problem.steps = {TakeFields({{"image/unpadded_label", "targets"}}),
                   MakePictures({}, {{"inputs", shape, {}}}, /*draws=*/false),
                   Standardize()};
  ReadBy({.read = ReadSigns, .finish = CheckImage}, &problem);
  return problem;
}

// 0.png with its text in 0.txt, and so on.
NextExample ReadPrint(const SampleFiles& files) {
  Strings images = files.Paths();
  std::erase_if(
      images, [](const std::string& path) { return !EndsWith(path, ".png"); });
  return SamplesOfFiles(std::move(images), [](const std::string& path,
                                              std::vector<Example>* samples) {
    Example sample = ImageSample(ReadFile(path), path);
    const std::string text = ReadText(path.substr(0, path.size() - 4) + ".txt");
    sample.features["targets"] = Strings{std::string(StripPythonSpace(text))};
    samples->push_back(std::move(sample));
  });
}

Problem Print(const std::string& name) {
  const ImageShape shape = {90, 4, 3};
  Problem problem = ImageToText(name, name, shape, Bytes(), kEnglishCharacters);
  problem.corpora = {OfAll(CorpusNamed("ocr_test"))};
  problem.splits = ShuffledSplits(1, 1);
  problem.steps = {
      TakeFields({{kLabel, "targets"}}),
      MakePictures({},
                   {{"inputs", shape, {Resize(90, 4, ResizeMethod::kArea)}}},
                   /*draws=*/false),
      Standardize()};
  problem.regroup = WriteAs("targets", kLabel);
  ReadBy({.read = ReadPrint, .finish = CheckImage}, &problem);
  return problem;
}

}  // namespace

void RegisterImageText(ProblemRegistry& problems) {
  const auto add = [&](const std::string& name, const auto& make,
                       auto... arguments) {
    problems.Add(name, [=] { return make(name, arguments...); });
  };
  add("image_ms_coco_characters", CocoCaptions, true);
  add("image_ms_coco_tokens32k", CocoCaptions, false);
  add("image_text_ms_coco", CocoImages, ImageShape{32, 32, 3},
      Resize(32, 32, ResizeMethod::kArea));
  const std::vector<int64_t> sides = {8, 16, 32};
  add("image_text_ms_coco_multi_resolution", CocoImages,
      MultiscaleShape(sides, 3), Multiscale(sides));
  add("image_fsns", Signs);
  add("ocr_test", Print);
}

}  // namespace t2t
