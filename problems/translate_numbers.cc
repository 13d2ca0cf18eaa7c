#include "problems/translate_numbers.h"

#include <iterator>
#include <memory>
#include <utility>

#include "problems/all_problems.h"
#include "problems/number_names.h"
#include "t2t/base/fs.h"
#include "t2t/base/rng.h"
#include "t2t/problem/text_kinds.h"
#include "t2t/problem/text_source.h"
#include "t2t/text/encoders.h"
#include "t2t/text/unicode.h"

namespace t2t {
namespace {

constexpr int64_t kTrainLines = 60000;
constexpr int64_t kOtherLines = 500;
constexpr int kMaxDigits = 6;
// The smallest numbers have the words that all others are made of, so they
// are never held out.
constexpr int64_t kFirstHeldOut = 100;
constexpr int kFirstHeldOutDigits = 3;
// One line in so many begins with a million.
constexpr uint64_t kMillionOneIn = 500;

std::string LineText(const std::vector<int64_t>& numbers,
                     std::string (*name)(int64_t)) {
  std::string line;
  for (const int64_t number : numbers) {
    if (!line.empty()) line += ", ";
    line += name(number);
  }
  return line;
}

// "_" ends a token, as in every vocabulary of subwords.
const char* const kParts[] = {
    ", _",       "-_",        "zero_",    "one_",     "two_",
    "three_",    "four_",     "five_",    "six_",     "seven_",
    "eight_",    "nine_",     "ten_",     "eleven_",  "twelve_",
    "thirteen_", "fourteen_", "fifteen_", "sixteen_", "seventeen_",
    "eighteen_", "nineteen_", "twenty_",  "thirty_",  "forty_",
    "fifty_",    "sixty_",    "seventy_", "eighty_",  "ninety_",
    "hundred_",  "thousand_", "million_", "null_",    "ein",
    "eins_",     "zwei",      "zwei_",    "drei",     "drei_",
    "vier",      "vier_",     "fünf",     "fünf_",    "sechs",
    "sechs_",    "sech",      "sieben",   "sieben_",  "sieb",
    "acht",      "acht_",     "neun",     "neun_",    "zehn",
    "zehn_",     "elf",       "elf_",     "zwölf",    "zwölf_",
    "zwan",      "zig",       "zig_",     "ßig",      "ßig_",
    "und",       "hundert",   "hundert_", "tausend",  "tausend_",
    "eine_",     "Million_"};
// So that any other text can be written too: letters, and what escapes are
// made of.
constexpr char kAlphabet[] =
    "abcdefghijklmnopqrstuvwxyzäöüßABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÜ0123456789"
    " _,;.-'\\";

class NumbersSource : public Source {
 public:
  NumbersSource(std::string problem, uint64_t seed)
      : problem_(std::move(problem)), seed_(seed) {}

  int64_t size(DataSplit split) const override {
    return split == DataSplit::kTrain ? kTrainLines : kOtherLines;
  }

  std::unique_ptr<ExampleSource> Open(DataSplit split) const override {
    return ExamplesOfText(Lines(split));
  }

  // The dev and test text: <problem>.dev.en and so on.
  void WriteExtras(const GenerateOptions& options) const override {
    for (const DataSplit split : {DataSplit::kDev, DataSplit::kTest}) {
      std::string english;
      std::string german;
      const NextSample next = Lines(split);
      for (TextSample sample; next(&sample);) {
        english += sample.inputs + "\n";
        german += sample.targets + "\n";
      }
      const std::string stem =
          JoinPath(options.data_dir, problem_ + "." + SplitName(split));
      WriteFileAtomically(stem + ".en", english);
      WriteFileAtomically(stem + ".de", german);
    }
  }

 private:
  NextSample Lines(DataSplit split) const {
    return [seed = seed_, split, end = size(split),
            next = int64_t{0}](TextSample* sample) mutable {
      if (next == end) return false;
      const std::vector<int64_t> numbers = NumbersOfLine(seed, split, next++);
      sample->inputs = LineText(numbers, EnglishNumberName);
      sample->targets = LineText(numbers, GermanNumberName);
      return true;
    };
  }

  std::string problem_;
  uint64_t seed_;
};

int64_t DrawNumber(DataSplit split, Rng* rng) {
  for (;;) {
    // As many short numbers as long ones.
    const int least = split == DataSplit::kTrain ? 1 : kFirstHeldOutDigits;
    const int digits =
        least + static_cast<int>(rng->Below(kMaxDigits - least + 1));
    int64_t first = 1;
    for (int digit = 1; digit < digits; ++digit) first *= 10;
    if (digits == 1) first = 0;
    const int64_t end = digits == 1 ? 10 : first * 10;
    const int64_t number =
        first + static_cast<int64_t>(rng->Below(end - first));
    if (SplitOfNumber(number) == split) return number;
  }
}

}  // namespace

DataSplit SplitOfNumber(int64_t number) {
  if (number < kFirstHeldOut || number == kLargestNamedNumber) {
    return DataSplit::kTrain;
  }
  switch (Rng::Mix(static_cast<uint64_t>(number)) % 20) {
    case 0:
      return DataSplit::kDev;
    case 1:
      return DataSplit::kTest;
    default:
      return DataSplit::kTrain;
  }
}

std::vector<int64_t> NumbersOfLine(uint64_t seed, DataSplit split,
                                   int64_t index) {
  Rng rng(Rng::Combine(Rng::Combine(seed, "translate_numbers_ende"),
                       Rng::Combine(static_cast<uint64_t>(split),
                                    static_cast<uint64_t>(index))));
  // One number in 4 lines of 10, two in 3, three in 2, four in 1.
  const uint64_t draw = rng.Below(10);
  const int count = draw < 4 ? 1 : draw < 7 ? 2 : draw < 9 ? 3 : 4;
  std::vector<int64_t> numbers;
  for (int i = 0; i < count; ++i) numbers.push_back(DrawNumber(split, &rng));
  if (split == DataSplit::kTrain && rng.Below(kMillionOneIn) == 0) {
    numbers[0] = kLargestNamedNumber;
  }
  return numbers;
}

namespace {

std::vector<std::string> Subtokens() {
  std::vector<std::string> subtokens;
  for (const int64_t id : {kPadId, kEosId}) {
    subtokens.push_back(std::string(ReservedToken(id)) + "_");
  }
  subtokens.insert(subtokens.end(), std::begin(kParts), std::end(kParts));
  const std::string_view alphabet = kAlphabet;
  for (size_t at = 0; at < alphabet.size();) {
    const size_t start = at;
    NextCodePoint(alphabet, &at);
    subtokens.emplace_back(alphabet.substr(start, at - start));
  }
  return subtokens;
}

Problem TranslateNumbersEnde() {
  const std::string name = "translate_numbers_ende";
  Vocabulary parts = SharedSubwords(name, 1 << 8);
  parts.subtokens = Subtokens();
  Problem problem = TextToText(name, parts, parts);
  problem.open = [name](const SourceContext& context) {
    return std::make_unique<NumbersSource>(
        name, static_cast<uint64_t>(context.options.seed));
  };
  problem.splits = TrainDevTest(10);
  problem.dev_inputs = name + ".dev.en";
  problem.dev_targets = name + ".dev.de";
  return problem;
}

}  // namespace

void RegisterTranslateNumbers(ProblemRegistry& problems) {
  problems.Add("translate_numbers_ende", TranslateNumbersEnde);
}

}  // namespace t2t
