#include "problems/translate_numbers.h"

#include <iterator>
#include <memory>
#include <utility>

#include "problems/all_problems.h"
#include "problems/number_names.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/rng.h"
#include "t2t/text/encoders.h"
#include "t2t/text/subword.h"
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

class NumbersSource : public TextSource {
 public:
  NumbersSource(uint64_t seed, DataSplit split, int64_t size)
      : seed_(seed), split_(split), size_(size) {}

  bool Next(TextSample* sample) override {
    if (next_ == size_) return false;
    const std::vector<int64_t> numbers =
        TranslateNumbersEnde::LineNumbers(seed_, split_, next_++);
    sample->inputs = LineText(numbers, EnglishNumberName);
    sample->targets = LineText(numbers, GermanNumberName);
    return true;
  }

 private:
  uint64_t seed_;
  DataSplit split_;
  int64_t size_;
  int64_t next_ = 0;
};

class NumbersCorpus : public TextCorpus {
 public:
  explicit NumbersCorpus(uint64_t seed) : seed_(seed) {}

  int64_t size(DataSplit split) const override {
    return split == DataSplit::kTrain ? kTrainLines : kOtherLines;
  }
  std::unique_ptr<TextSource> Open(DataSplit split) const override {
    return std::make_unique<NumbersSource>(seed_, split, size(split));
  }

 private:
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
    if (TranslateNumbersEnde::SplitOf(number) == split) return number;
  }
}

}  // namespace

DataSplit TranslateNumbersEnde::SplitOf(int64_t number) {
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

std::vector<int64_t> TranslateNumbersEnde::LineNumbers(uint64_t seed,
                                                       DataSplit split,
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

std::vector<TextShards> TranslateNumbersEnde::Shards() const {
  return {{DataSplit::kTrain, 10, true},
          {DataSplit::kDev, 1, false},
          {DataSplit::kTest, 1, false}};
}

std::string TranslateNumbersEnde::ExtraStem(DataSplit split) const {
  return name() + "." + SplitName(split);
}

DataFacts TranslateNumbersEnde::data_facts() const {
  DataFacts facts = Text2TextProblem::data_facts();
  facts.dev_inputs = ExtraStem(DataSplit::kDev) + ".en";
  facts.dev_targets = ExtraStem(DataSplit::kDev) + ".de";
  return facts;
}

std::unique_ptr<TextCorpus> TranslateNumbersEnde::FindCorpus(
    const GenerateOptions& options, bool fetch) const {
  return std::make_unique<NumbersCorpus>(static_cast<uint64_t>(options.seed));
}

void TranslateNumbersEnde::BuildVocabulary(
    const TextCorpus& corpus, const GenerateOptions& options) const {
  if (!options.vocab.empty()) {
    Text2TextProblem::BuildVocabulary(corpus, options);
    return;
  }
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
  const auto encoder = SubwordTextEncoder::FromSubtokens(std::move(subtokens));
  encoder->Store(VocabularyPaths(options.data_dir)[0]);
  Log("  vocabulary: " + std::to_string(encoder->vocab_size()) +
      " parts of number names");
}

void TranslateNumbersEnde::WriteExtras(const TextCorpus& corpus,
                                       const GenerateOptions& options) const {
  for (const DataSplit split : {DataSplit::kDev, DataSplit::kTest}) {
    std::string english;
    std::string german;
    const std::unique_ptr<TextSource> source = corpus.Open(split);
    for (TextSample sample; source->Next(&sample);) {
      english += sample.inputs + "\n";
      german += sample.targets + "\n";
    }
    const std::string stem = JoinPath(options.data_dir, ExtraStem(split));
    WriteFileAtomically(stem + ".en", english);
    WriteFileAtomically(stem + ".de", german);
  }
}

void RegisterTranslateNumbers(ProblemRegistry& problems) {
  AddProblem<TranslateNumbersEnde>(problems, "translate_numbers_ende");
}

}  // namespace t2t
