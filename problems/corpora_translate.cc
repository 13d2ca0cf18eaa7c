// Parallel text: T2T's data_generators/translate_*.py name it. T2T fetches over
// http, and checks no sum.

#include "problems/corpus_rows.h"

namespace t2t {
namespace {

const std::string& Wmt13() {
  static const auto& folder = *new std::string("https://www.statmt.org/wmt13");
  return folder;
}
std::string Wmt(int year) {
  return "https://data.statmt.org/wmt" + std::to_string(year) +
         "/translation-task";
}
constexpr char kParaCrawl[] =
    "https://s3.amazonaws.com/web-language-models/paracrawl";

// In `folder`, with a mirror of a person's own.
Corpus OfWmt(const std::string& name, const std::string& folder,
             const std::string& archive, const std::string& sha256,
             std::vector<CorpusFile> files,
             CorpusReader reader = CorpusReader::kLines) {
  Corpus corpus = InArchive(name, folder + "/" + archive, archive,
                            std::move(files), reader);
  corpus.sha256 = sha256;
  corpus.mirror_variable = "T2T_WMT_URL";
  return corpus;
}

// <stem>.<other>-en.en and its translation.
std::vector<CorpusFile> Pair(const std::string& stem, const std::string& other,
                             const std::string& pair) {
  return {{stem + pair + ".en"}, {stem + pair + "." + other}};
}
std::vector<CorpusFile> Pair(const std::string& stem,
                             const std::string& other) {
  return Pair(stem, other, "." + other + "-en");
}

// News commentary: 284,000 lines of German, 252,000 of Chinese.
Corpus NewsCommentary(const std::string& other) {
  return OfWmt(
      "nc_v13_en" + other, Wmt(18), "training-parallel-nc-v13.tgz",
      "17992b7e919cfb754c60f4e754148bc23b80706ad0ed7b34150831a554b40c91",
      Pair("training-parallel-nc-v13/news-commentary-v13", other));
}
// Web pages: 2.4 million lines of German.
Corpus CommonCrawl(const std::string& other) {
  return OfWmt(
      "commoncrawl_en" + other, Wmt13(), "training-parallel-commoncrawl.tgz",
      "c7a74e2ea01ac6c920123108627e35278d4ccb5701e15428ffa34de86fa3a9e5",
      Pair("commoncrawl", other));
}
// The European Parliament: 1.9 million lines of German.
Corpus Europarl(const std::string& other) {
  return OfWmt(
      "europarl_v7_en" + other, Wmt13(), "training-parallel-europarl-v7.tgz",
      "0224c7c710c8a063dfd893b0cc0830202d61f4c75c17eb8e31836103d27d96e7",
      Pair("training/europarl-v7", other));
}
// The United Nations, of the year 2000.
Corpus UnitedNations2000(const std::string& other) {
  return OfWmt("undoc_en" + other, Wmt13(), "training-parallel-un.tgz", "",
               Pair("un/undoc.2000", other));
}
Corpus NewsTest2013(const std::string& other) {
  return OfWmt("newstest2013_en" + other, Wmt(17), "dev.tgz", "",
               Pair("dev/newstest2013", other, ""));
}
// The European Commission's press releases.
Corpus Rapid(const std::string& other, const std::string& pair) {
  return OfWmt("rapid2016_en" + other, Wmt(18), "rapid2016.tgz", "",
               Pair("rapid2016.", other, pair));
}
// ParaCrawl's first release, cleaned.
Corpus ParaCrawl1(const std::string& other) {
  const std::string stem =
      "paracrawl-release1.en-" + other + ".zipporah0-dedup-clean";
  return InArchive("paracrawl1_en" + other,
                   std::string(kParaCrawl) + "/release1/" + stem + ".tgz",
                   stem + ".tgz", Pair(stem, other, ""));
}

// ParaCrawl's fourth: one file of both sides.
Corpus ParaCrawl4De() {
  Corpus corpus;
  corpus.name = "paracrawl4_ende";
  corpus.addresses = {std::string(kParaCrawl) + "/release4"};
  corpus.files = {{"en-de.bicleaner07.tmx.gz"}};
  corpus.reader = CorpusReader::kTmx;
  return corpus;
}

// CzEng, 1.0 in the plain format: id, score, Czech, English.
Corpus CzEng() {
  Corpus corpus = InArchive(
      "czeng_encs",
      "https://lindat.mff.cuni.cz/repository/xmlui/bitstream/handle/11234/"
      "1-1458/data-plaintext-format.tar",
      "data-plaintext-format.tar", {{"data.plaintext-format/*train.gz"}},
      CorpusReader::kTsv);
  corpus.source_column = 3;
  corpus.target_column = 2;
  return corpus;
}

// An archive of two files, in a folder of the web.
Corpus TwoFiles(const std::string& name, const std::string& folder,
                const std::string& archive, const std::string& source,
                const std::string& target) {
  return InArchive(name, folder + "/" + archive, archive, {{source}, {target}});
}

// Text that a model has translated back, which a person makes or gets.
Corpus BackTranslated(const std::string& stem, const std::string& source,
                      const std::string& target, const std::string& end) {
  return ByHand(
      stem + "_mono" + (end == ".txt" ? "" : end.substr(4)),
      "a translation of monolingual text by a model of your own", "",
      {{stem + "_mono_" + source + end}, {stem + "_mono_" + target + end}});
}

std::vector<CorpusFile> CwmtFiles() {
  std::vector<CorpusFile> files;
  const auto add = [&](const std::string& stem, const std::string& source,
                       const std::string& target) {
    files.push_back({"cwmt/" + stem + source + ".txt"});
    files.push_back({"cwmt/" + stem + target + ".txt"});
  };
  add("casia2015/casia2015", "_en", "_ch");
  add("casict2015/casict2015", "_en", "_ch");
  add("neu2017/NEU", "_en", "_cn");
  add("datum2015/datum", "_en", "_ch");
  for (int book = 1; book <= 20; ++book) {
    add("datum2017/Book" + std::to_string(book), "_en", "_cn");
  }
  return files;
}

std::vector<Corpus> ChineseCorpora() {
  return {
      NewsCommentary("zh"),
      OfWmt("newsdev2017_enzh", Wmt(18), "dev.tgz", "",
            {{"dev/newsdev2017-enzh-src.en.sgm"},
             {"dev/newsdev2017-enzh-ref.zh.sgm"}},
            CorpusReader::kSgml),
      // 8.1 million lines.
      ByHand("cwmt_enzh", "http://nlp.nju.edu.cn/cwmt-wmt/", "cwmt.tgz",
             CwmtFiles()),
      // The United Nations, 15.9 million lines.
      ByHand("un_v1_enzh", "https://conferences.unite.un.org/UNCorpus",
             "UNv1.0.en-zh.tar.gz",
             {{"en-zh/UNv1.0.en-zh.en"}, {"en-zh/UNv1.0.en-zh.zh"}}),
  };
}

std::vector<Corpus> FrenchCorpora() {
  const std::string small = "baseline-1M-enfr/baseline-1M_";
  const std::string nmt = "https://s3.amazonaws.com/opennmt-trainingdata";
  return {
      CommonCrawl("fr"),
      Europarl("fr"),
      UnitedNations2000("fr"),
      NewsTest2013("fr"),
      OfWmt("nc_v9_enfr", "https://www.statmt.org/wmt14",
            "training-parallel-nc-v9.tgz", "",
            Pair("training/news-commentary-v9", "fr")),
      // 22.5 million lines.
      OfWmt("giga_enfr", "https://www.statmt.org/wmt10",
            "training-giga-fren.tar", "",
            {{"giga-fren.release2.fixed.en.gz"},
             {"giga-fren.release2.fixed.fr.gz"}}),
      TwoFiles("baseline_train_enfr", nmt, "baseline-1M-enfr.tgz",
               small + "train.en", small + "train.fr"),
      TwoFiles("baseline_valid_enfr", nmt, "baseline-1M-enfr.tgz",
               small + "valid.en", small + "valid.fr"),
      BackTranslated("fr", "en", "fr", ".txt"),
      BackTranslated("en", "en", "fr", ".txt0"),
      BackTranslated("en", "en", "fr", ".txt1"),
      BackTranslated("en", "en", "fr", ".txt2"),
  };
}

std::vector<Corpus> RomanianCorpora() {
  Corpus setimes = TwoFiles(
      "setimes_enro", "https://opus.nlpl.eu/download.php?f=SETIMES/v2/moses",
      "en-ro.txt.zip", "SETIMES.en-ro.en", "SETIMES.en-ro.ro");
  setimes.addresses.push_back(
      "https://object.pouta.csc.fi/OPUS-SETIMES/v2/moses/en-ro.txt.zip");
  return {
      TwoFiles("europarl_v7_enro", "https://www.statmt.org/europarl/v7",
               "ro-en.tgz", "europarl-v7.ro-en.en", "europarl-v7.ro-en.ro"),
      std::move(setimes),
      OfWmt("newsdev2016_enro", Wmt(16), "dev-romanian-updated.tgz", "",
            {{"dev/newsdev2016-roen-ref.en.sgm"},
             {"dev/newsdev2016-roen-src.ro.sgm"}},
            CorpusReader::kSgml),
  };
}

// Languages with less text.
std::vector<Corpus> SmallerCorpora() {
  const std::string stefan = "https://github.com/stefan-it";
  const std::string id =
      "https://github.com/prasastoadi/parallel-corpora-en-id/raw/master";
  const auto panl = [&](const std::string& part, const std::string& size) {
    const std::string end = size + ".txt";
    return TwoFiles("panl_" + part + "_enid", id,
                    "PANL-BPPT-" + part + "-EN-ID-" + size + ".tgz",
                    "PANL-BPPT-" + part + "-EN-" + end,
                    "PANL-BPPT-" + part + "-ID-" + end);
  };
  const auto tswana = [](const std::string& set) {
    const std::string archive = "eng_tswane." + set + ".tar.gz";
    return InArchive(
        "autshumato_" + set + "_entn",
        "https://github.com/LauraMartinus/ukuxhumana/blob/master/data/en_tn/" +
            archive + "?raw=true",
        archive, Pair("entn_parallel." + set, "tn", ""));
  };
  return {
      OfWmt("europarl_v8_enet", Wmt(18), "training-parallel-ep-v8.tgz", "",
            Pair("training/europarl-v8", "et")),
      ParaCrawl1("et"),
      Rapid("et", "en-et"),
      TwoFiles("newsdev2018_enet", stefan + "/nmt-en-et/raw/master/data",
               "newsdev2018-enet.tar.gz", "newsdev2018-enet-src.en",
               "newsdev2018-enet-ref.et"),
      TwoFiles("iwslt17_train_enid", id, "IWSLT17.train.en-id.tgz",
               "IWSLT17.train.en-id.en", "IWSLT17.train.en-id.id"),
      panl("ECO", "150Kw"),
      panl("INT", "150Kw"),
      panl("SCI", "100Kw"),
      panl("SPO", "100Kw"),
      TwoFiles("iwslt17_test_enid", id, "IWSLT17.TED.tst2017plus.en-id.tgz",
               "IWSLT17.TED.tst2017plus.en-id.en",
               "IWSLT17.TED.tst2017plus.en-id.id"),
      TwoFiles("setimes_enmk", "http://nlp.ffzg.hr/data/corpora/setimes",
               "setimes.en-mk.txt.tgz", "setimes.en-mk.en.txt",
               "setimes.en-mk.mk.txt"),
      TwoFiles("mte1984_enmk", stefan + "/nmt-en-mk/raw/master/data",
               "MTE-1984-dev.enmk.tgz", "MTE1984-dev.en", "MTE1984-dev.mk"),
      TwoFiles("iwslt15_train_envi", stefan + "/nmt-en-vi/raw/master/data",
               "train-en-vi.tgz", "train.en", "train.vi"),
      TwoFiles("iwslt15_tst2012_envi", stefan + "/nmt-en-vi/raw/master/data",
               "dev-2012-en-vi.tgz", "tst2012.en", "tst2012.vi"),
      tswana("train"),
      tswana("dev"),
  };
}

}  // namespace

std::vector<Corpus> TranslationCorpora() {
  std::vector<Corpus> rows = {
      // German.
      NewsCommentary("de"), CommonCrawl("de"), Europarl("de"),
      NewsTest2013("de"), Rapid("de", "de-en"), ParaCrawl4De(),
      // Spanish.
      CommonCrawl("es"), Europarl("es"), UnitedNations2000("es"),
      ParaCrawl1("es"), NewsTest2013("es"),
      // Czech.
      CzEng(), NewsCommentary("cs"), CommonCrawl("cs"), Europarl("cs"),
      NewsTest2013("cs"), BackTranslated("cs", "en", "cs", ".txt0"),
      BackTranslated("cs", "en", "cs", ".txt1"),
      BackTranslated("cs", "en", "cs", ".txt2")};
  for (const auto more :
       {ChineseCorpora, FrenchCorpora, RomanianCorpora, SmallerCorpora}) {
    for (Corpus& corpus : more()) rows.push_back(std::move(corpus));
  }
  return rows;
}

}  // namespace t2t
