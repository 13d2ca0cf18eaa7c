// t2t-bleu: BLEU of a translation, or of each translation in a folder.

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/flags.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/base/log.h"
#include "t2t/base/plural.h"
#include "t2t/base/strings.h"
#include "t2t/formats/events.h"
#include "t2t/metrics/bleu.h"
#include "t2t/metrics/chrf.h"
#include "t2t/metrics/text.h"
#include "t2t/text/unicode.h"

namespace t2t {
namespace {

using Lines = std::vector<std::string>;

constexpr char kLastStepFile[] = "last_evaluated_step.txt";
constexpr int kPollSeconds = 10;

struct Settings {
  std::string translation;
  std::string reference;
  std::string translations_dir;
  std::string event_dir;
  std::string bleu_variant = "both";
  std::string tag_suffix;
  int64_t min_steps = -1;
  int64_t wait_minutes = 0;
  bool report_zero = false;
  std::string tokenize;
  std::string smooth_method = "exp";
  double smooth_value = 0;
  bool lowercase = false;
  bool chrf = false;
  int64_t chrf_word_order = 0;
  bool json = false;
  int64_t width = 2;
  std::optional<double> given_smooth_value;
};

// The scores that were asked for, of translations against the references.
class Scorer {
 public:
  explicit Scorer(const Settings& settings) : settings_(settings) {
    bleu_.lowercase = settings.lowercase;
    bleu_.smoothing = BleuSmoothingByName(settings.smooth_method);
    bleu_.smooth_value = settings.given_smooth_value;
    if (!settings.tokenize.empty()) {
      bleu_.tokenizer = TokenizerByName(settings.tokenize);
    }
    chrf_.lowercase = settings.lowercase;
    chrf_.word_order = static_cast<int>(settings.chrf_word_order);

    if (settings.reference.empty()) {
      throw UsageError("--reference is missing",
                       "the file with the right translations");
    }
    for (const std::string& path : Split(settings.reference, ',')) {
      reference_paths_.push_back(ExpandUser(path));
      references_.push_back(ReadLines(reference_paths_.back()));
    }
    if (references_.size() > 1 && settings.tokenize.empty()) {
      throw UsageError("T2T's BLEU takes one --reference, not " +
                           std::to_string(references_.size()),
                       "one file, or --tokenize (sacreBLEU's BLEU)");
    }
  }

  std::vector<MetricScore> Score(const std::string& path) const {
    const Lines translation = ReadLines(path);
    for (size_t i = 0; i < references_.size(); ++i) {
      if (references_[i].size() == translation.size()) continue;
      throw DataError(
          path + " has " +
              Count(static_cast<int64_t>(translation.size()), "line") + ", " +
              reference_paths_[i] + " has " +
              std::to_string(references_[i].size()),
          "one line of translation for each of the reference, in its order",
          "translate the whole source, or give the reference that belongs to "
          "it");
    }
    std::vector<MetricScore> scores;
    if (settings_.tokenize.empty()) {
      for (const std::string name : {"uncased", "cased"}) {
        if (settings_.bleu_variant != "both" && settings_.bleu_variant != name)
          continue;
        MetricScore score;
        score.name = "BLEU_" + name;
        score.score = T2TBleu(references_[0], translation, name == "cased");
        scores.push_back(score);
      }
    }
    if (settings_.tokenize.empty() && !settings_.chrf) return scores;
    // As sacreBLEU's program reads lines.
    const Lines hypotheses = Stripped(translation);
    std::vector<Lines> references;
    for (const Lines& lines : references_) {
      references.push_back(Stripped(lines));
    }
    if (!settings_.tokenize.empty()) {
      WarnIfTokenized(hypotheses);
      scores.push_back(CorpusBleu(hypotheses, references, bleu_));
    }
    if (settings_.chrf) {
      scores.push_back(CorpusChrf(hypotheses, references, chrf_));
    }
    return scores;
  }

 private:
  static Lines Stripped(const Lines& lines) {
    Lines stripped;
    for (const std::string& line : lines) {
      stripped.emplace_back(StripPythonSpaceRight(line));
    }
    return stripped;
  }

  void WarnIfTokenized(const Lines& hypotheses) const {
    const auto count = std::count_if(
        hypotheses.begin(), hypotheses.end(),
        [](const std::string& line) { return EndsWith(line, " ."); });
    if (count >= 100 && settings_.tokenize != "none") {
      Warn(std::to_string(count) +
           " lines end in ' .': is this translation not detokenized?");
    }
  }

  const Settings& settings_;
  BleuOptions bleu_;
  ChrfOptions chrf_;
  std::vector<std::string> reference_paths_;
  std::vector<Lines> references_;
};

// T2T's line for its own scores.
std::string Text(const MetricScore& score, int width) {
  if (!score.signature.empty()) return ScoreText(score, width);
  return score.name + Format(" = %*.*f", width + 4, width, score.score);
}

void PrintScores(const std::vector<MetricScore>& scores,
                 const Settings& settings) {
  const int width = static_cast<int>(settings.width);
  if (!settings.json) {
    for (const MetricScore& score : scores) {
      std::printf("%s\n", Text(score, width).c_str());
    }
    return;
  }
  std::vector<std::string> texts;
  for (const MetricScore& score : scores) {
    texts.push_back(ScoreJson(score, width));
  }
  // sacreBLEU's form: an object, or a list of several.
  std::printf("%s\n", texts.size() == 1
                          ? texts[0].c_str()
                          : ("[\n" + Join(texts, ",\n") + "\n]").c_str());
}

struct StepFile {
  int64_t step = 0;
  std::string path;
  double changed = 0;  // seconds since 1970: when it came to be there
  double time = 0;     // its own: of the checkpoint that it was made with
};

double Seconds(const struct timespec& time) {
  return static_cast<double>(time.tv_sec) +
         static_cast<double>(time.tv_nsec) * 1e-9;
}

// The files of the folder named <something>-<step>, from min_steps on, by
// rising step.
std::vector<StepFile> ListStepFiles(const std::string& folder,
                                    int64_t min_steps) {
  std::vector<StepFile> files;
  for (const std::string& name : ListDirectory(folder)) {
    const size_t dash = name.rfind('-');
    StepFile file;
    file.path = JoinPath(folder, name);
    struct stat info;
    if (dash == std::string::npos || IsTemporaryName(name) ||
        !ParseInt(name.substr(dash + 1), &file.step) || file.step < min_steps ||
        ::stat(file.path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) {
      continue;
    }
    file.changed = Seconds(info.st_ctim);
    file.time = Seconds(info.st_mtim);
    files.push_back(file);
  }
  std::stable_sort(
      files.begin(), files.end(),
      [](const StepFile& a, const StepFile& b) { return a.step < b.step; });
  return files;
}

// The oldest file's time: t2t-translate-all keeps there when training began.
double OldestTime(const std::string& folder) {
  double oldest = 0;
  for (const std::string& name : ListDirectory(folder)) {
    struct stat info;
    if (::stat(JoinPath(folder, name).c_str(), &info) != 0 ||
        !S_ISREG(info.st_mode)) {
      continue;
    }
    const double time = Seconds(info.st_mtim);
    oldest = oldest == 0 ? time : std::min(oldest, time);
  }
  return oldest;
}

double Clock() {
  return std::chrono::duration<double>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

void Poll() { std::this_thread::sleep_for(std::chrono::seconds(kPollSeconds)); }

int64_t LastEvaluatedStep(const std::string& event_dir) {
  const std::string path = JoinPath(event_dir, kLastStepFile);
  if (event_dir.empty() || !Exists(path)) return 0;
  int64_t step = 0;
  if (!ParseInt(Trim(ReadFile(path)), &step)) {
    throw DataError(path + " holds no step", "a whole number",
                    "remove it, or give --min_steps");
  }
  return step;
}

void PrintStep(const StepFile& file, const std::map<std::string, double>& tags,
               const Settings& settings) {
  if (settings.json) {
    Json json = Json::Object();
    json.Set("step", file.step);
    json.Set("file", file.path);
    for (const auto& [tag, score] : tags) json.Set(tag, score);
    std::printf("%s\n", json.ToString().c_str());
  } else {
    std::string line = file.path + ":";
    for (const auto& [tag, score] : tags) {
      line += "  " + tag +
              Format(" = %.*f", static_cast<int>(settings.width), score);
    }
    std::printf("%s\n", line.c_str());
  }
  std::fflush(stdout);
}

void ScoreFolder(const Scorer& scorer, const Settings& settings,
                 bool report_zero_given) {
  const std::string folder = ExpandUser(settings.translations_dir);
  const std::string event_dir = ExpandUser(settings.event_dir);
  const double wait = static_cast<double>(settings.wait_minutes) * 60;
  double deadline = Clock() + wait;
  while (!IsDirectory(folder)) {
    if (Clock() >= deadline) {
      throw MissingError("--translations_dir " + folder + " is not there",
                         "a folder of translations named <name>-<step>");
    }
    Poll();
  }
  int64_t min_steps = settings.min_steps >= 0 ? settings.min_steps
                                              : LastEvaluatedStep(event_dir);
  bool report_zero = report_zero_given ? settings.report_zero : min_steps == 0;
  std::unique_ptr<EventWriter> events;
  bool any = false;
  while (true) {
    const std::vector<StepFile> files = ListStepFiles(folder, min_steps);
    if (files.empty()) {
      if (Clock() >= deadline) break;
      Poll();
      continue;
    }
    for (const StepFile& file : files) {
      std::map<std::string, double> tags;
      for (const MetricScore& score : scorer.Score(file.path)) {
        std::string tag = score.name;
        if (tag == "BLEU") tag += "_" + settings.tokenize;
        tags[tag + settings.tag_suffix] = score.score;
      }
      PrintStep(file, tags, settings);
      if (!event_dir.empty()) {
        if (events == nullptr) {
          // Other scores' points in the folder stay.
          events = std::make_unique<EventWriter>(event_dir, std::nullopt);
        }
        if (report_zero && file.step > 0) {
          std::map<std::string, double> zeros = tags;
          for (auto& [tag, score] : zeros) score = 0;
          events->Write(0, zeros, OldestTime(folder));
        }
        report_zero = false;
        events->Write(file.step, tags, file.time);
        WriteFileAtomically(JoinPath(event_dir, kLastStepFile),
                            std::to_string(file.step) + "\n");
      }
      any = true;
      min_steps = file.step + 1;
      deadline = file.changed + wait;
    }
    if (settings.wait_minutes == 0) break;
  }
  if (!any) {
    Warn("no translation in " + folder +
         " named <name>-<step> with a step of " + std::to_string(min_steps) +
         " or more");
  }
}

void AddFlags(Settings* into, Flags* to) {
  Settings& settings = *into;
  Flags& flags = *to;
  flags.Add("translation", &settings.translation, "The file to score.");
  flags.Add("reference", &settings.reference,
            "The file with the right translations; with --tokenize several, "
            "separated by commas.",
            Flags::Kind::kList);
  flags.Add("translations_dir", &settings.translations_dir,
            "Scores each file in this folder that is named <name>-<step>.");
  flags.Add("event_dir", &settings.event_dir,
            "With --translations_dir: where TensorBoard's event file and the "
            "last step scored go.");
  flags.AddChoice("bleu_variant", &settings.bleu_variant,
                  {"cased", "uncased", "both"},
                  "T2T's BLEU: cased, uncased or both.");
  flags.Add("tag_suffix", &settings.tag_suffix,
            "Added to the tags in the event file.");
  flags.Add("min_steps", &settings.min_steps,
            "Scores no translation of fewer steps; -1: goes on after the last "
            "one scored.",
            Range::AtLeast(-1));
  flags.Add("wait_minutes", &settings.wait_minutes,
            "Waits so long for another translation.", Range::AtLeast(0));
  flags.Add("report_zero", &settings.report_zero,
            "Writes 0 for step 0 (the default where --min_steps is 0).");
  flags.Add("tokenize", &settings.tokenize,
            "sacreBLEU's BLEU with this tokenizer: 13a, intl, zh, char or "
            "none; or t2t.");
  flags.Add("lowercase", &settings.lowercase,
            "With --tokenize and --chrf: of lower-cased text.");
  flags.Add("lc", &settings.lowercase, "The same as --lowercase.");
  flags.Add("smooth_method", &settings.smooth_method,
            "With --tokenize: exp, floor, add-k or none.");
  flags.Add("smooth_value", &settings.smooth_value,
            "Of floor (0.1 else) and add-k (1 else).", Range::AtLeast(0));
  flags.Add("chrf", &settings.chrf, "chrF as well.");
  flags.Add("chrf_word_order", &settings.chrf_word_order, "2: chrF++ for chrF.",
            Range::Between(0, 10));
  flags.Add("json", &settings.json, "JSON, as sacreBLEU writes it.");
  flags.Add("width", &settings.width, "Digits after the point.",
            Range::Between(0, 15));
  flags.AddIgnored("source", "BLEU doesn't look at the source");
}

int Main(int argc, char** argv) {
  Settings settings;
  Flags flags(
      "BLEU of a translation, or of each translation in a folder.",
      "t2t-bleu --translation=test.out.de --reference=test.de --tokenize=13a");
  AddFlags(&settings, &flags);
  const std::vector<std::string> rest = flags.Parse(argc, argv);
  if (!rest.empty()) {
    throw UsageError("the argument '" + rest.front() + "' is no flag",
                     "--translation=" + rest.front(), "--help lists the flags");
  }
  if (settings.translation.empty() == settings.translations_dir.empty()) {
    throw UsageError(
        "give one of --translation and --translations_dir",
        settings.translation.empty() ? "a file or a folder" : "not both");
  }
  if (flags.WasGiven("smooth_value")) {
    settings.given_smooth_value = settings.smooth_value;
  }
  const Scorer scorer(settings);
  if (settings.translation.empty()) {
    ScoreFolder(scorer, settings, flags.WasGiven("report_zero"));
  } else {
    PrintScores(scorer.Score(ExpandUser(settings.translation)), settings);
  }
  return 0;
}

}  // namespace
}  // namespace t2t

int main(int argc, char** argv) { return t2t::RunMain(argc, argv, t2t::Main); }
