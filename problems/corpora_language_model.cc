// Text for language models: T2T's ptb.py, lm1b.py, wikitext103.py, enwik8.py,
// lambada.py, wiki_lm.py and wiki.py name it.

#include "problems/corpus_rows.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

constexpr CorpusReader kByKind = CorpusReader::kByKind;

Corpus PennTreebank(const std::string& name, const std::string& file) {
  return InArchive(name,
                   "https://www.fit.vutbr.cz/~imikolov/rnnlm/"
                   "simple-examples.tgz",
                   "simple-examples.tgz", {{"simple-examples/data/" + file}},
                   kByKind);
}

Corpus BillionWords(const std::string& name, std::vector<CorpusFile> files) {
  const std::string stem =
      "1-billion-word-language-modeling-benchmark-r13output";
  for (CorpusFile& file : files) file.name = stem + "/" + file.name;
  return InArchive(name,
                   "https://www.statmt.org/lm-benchmark/" + stem + ".tar.gz",
                   stem + ".tar.gz", std::move(files), kByKind);
}

std::vector<CorpusFile> BillionWordsTraining() {
  std::vector<CorpusFile> files;
  for (int i = 1; i < 100; ++i) {
    files.push_back({"training-monolingual.tokenized.shuffled/" +
                     Format("news.en-%05d-of-00100", i)});
  }
  return files;
}

Corpus BillionWordsVocabulary() {
  Corpus corpus;
  corpus.name = "lm1b_vocabulary";
  corpus.files = {{"vocab-2016-09-10.txt.en", "",
                   "http://download.tensorflow.org/models/LM_LSTM_CNN/"
                   "vocab-2016-09-10.txt"}};
  corpus.reader = kByKind;
  return corpus;
}

// WikiText-103, with rare words as <unk> or as they are.
Corpus Wikitext103(const std::string& part, bool raw) {
  const std::string kind = raw ? "-raw" : "";
  const std::string archive = "wikitext-103" + kind + "-v1.zip";
  return InArchive(
      "wikitext103" + kind + "_" + part,
      "https://s3.amazonaws.com/research.metamind.io/wikitext/" + archive,
      archive,
      {{"wikitext-103" + kind + "/wiki." + part + (raw ? ".raw" : ".tokens")}},
      kByKind);
}

constexpr char kLambada[] = "lambada-dataset.tar.gz";
constexpr char kLambadaAddress[] =
    "http://clic.cimec.unitn.it/lambada/lambada-dataset.tar.gz";

Corpus Lambada(const std::string& name, const std::string& file) {
  return InArchive("lambada_" + name, kLambadaAddress, kLambada, {{file}},
                   kByKind);
}

// 5,325 novels in an archive inside the archive.
Corpus LambadaNovels() {
  Corpus corpus =
      InArchive("lambada_novels", kLambadaAddress, "train-novels.tar",
                {{"train-novels/*/*.txt"}}, kByKind);
  corpus.outer_archive = kLambada;
  return corpus;
}

// Lines of Wikipedia's articles, of a part and a language.
Corpus WikipediaLines(const std::string& language, const std::string& part,
                      const std::string& id) {
  Corpus corpus;
  corpus.name = language + "wiki_" + part;
  corpus.files = {{corpus.name + ".txt", "",
                   "https://drive.usercontent.google.com/download?id=" + id +
                       "&export=download&confirm=t"}};
  corpus.published_suffix = ".gz";
  corpus.home = "https://drive.google.com/uc?export=download&id=" + id;
  corpus.reader = kByKind;
  return corpus;
}

}  // namespace

std::vector<Corpus> LanguageModelCorpora() {
  std::vector<Corpus> rows = {
      PennTreebank("ptb_train", "ptb.train.txt"),
      PennTreebank("ptb_valid", "ptb.valid.txt"),
      PennTreebank("ptb_char_train", "ptb.char.train.txt"),
      PennTreebank("ptb_char_valid", "ptb.char.valid.txt"),
      BillionWords("lm1b_train", BillionWordsTraining()),
      BillionWords("lm1b_heldout", {{"heldout-monolingual.tokenized.shuffled/"
                                     "news.en.heldout-00000-of-00050"}}),
      BillionWordsVocabulary(),
      InArchive("enwik8", "http://mattmahoney.net/dc/enwik8.zip", "enwik8.zip",
                {{"enwik8"}}, kByKind),
      LambadaNovels(),
      Lambada("development", "lambada_development_plain_text.txt"),
      Lambada("test", "lambada_test_plain_text.txt"),
      Lambada("vocabulary", "lambada-vocab-2.txt"),
      // 16 GB; 66 GB once unpacked.
      InArchive("enwiki_20171201",
                "https://archive.org/download/enwiki-20171201/"
                "enwiki-20171201-pages-articles.xml.bz2",
                "enwiki-20171201-pages-articles.xml.bz2",
                {{"enwiki-20171201-pages-articles.xml"}}, kByKind),
      // Of each article all revisions, in hundreds of files.
      ByHand(
          "enwiki_history",
          "https://dumps.wikimedia.org/enwiki/latest/ (as many of its history "
          "dumps as there is time for, as they are)",
          "", {{"enwiki-*-pages-meta-history*.7z"}}, kByKind),
      WikipediaLines("en", "train", "1-l02fI15ieMIZk8EnXhzhsvuEYRoznZ8"),
      WikipediaLines("en", "eval", "1odhDxWKtAPKXwxRw1KCrmlrVewxdXYq7"),
      WikipediaLines("en", "test", "1i1Bg6XqvdRl1LuOiIWbg7ww8Y02Ip5VK"),
      WikipediaLines("de", "train", "1FzEwoPonw9xlwX34vLPFInUF8F4X5yJy"),
      WikipediaLines("de", "eval", "1EKwRRPHyWny0RJ-aqSGMcNfjAlzFl51B"),
      WikipediaLines("de", "test", "1Kr13Y7y_OD3JtUM9riXpFQP9UiHDkcFY"),
      WikipediaLines("fr", "train", "1etUIEZxMQKORwLGkssE5wlfCxxkeo8WV"),
      WikipediaLines("fr", "eval", "13qrR5ZnHRgIMdcURVpixKL9gTO23GcPc"),
      WikipediaLines("fr", "test", "1mQpHRkAV9KXt68de69RwR8dkDi8EEusV"),
      WikipediaLines("ro", "train", "1wUJTEAlQeDcAwFnBxa8PzE-DCiXSU_W7"),
      WikipediaLines("ro", "eval", "1uIPy2ZgkyArPy_gnsILENjgv4QQmSKtx"),
      WikipediaLines("ro", "test", "1kphjN4jXTbw8HyRYKaRE2zY4D7Fr-p7-"),
  };
  for (const char* const part : {"train", "valid", "test"}) {
    for (const bool raw : {false, true}) {
      rows.push_back(Wikitext103(part, raw));
    }
  }
  return rows;
}

}  // namespace t2t
