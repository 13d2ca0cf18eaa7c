#include "problems/corpus_rows.h"

namespace t2t {

std::vector<Corpus> GenomicsCorpora() {
  const auto file = [](const std::string& name, const std::string& file,
                       const std::string& address) {
    Corpus corpus;
    corpus.name = name;
    corpus.home = address.empty() ? "gene_expression.py of Tensor2Tensor says "
                                    "what is in it; none was published"
                                  : address;
    corpus.files = {{file, "", address}};
    corpus.reader = CorpusReader::kByKind;
    return corpus;
  };
  const std::string address = "https://storage.googleapis.com/262k_binned/";
  return {
      file("genes_cage10", "cage10.h5", address + "cage10_l262k_w128.h5"),
      file("genes_gm12878", "gm12878.h5", address + "gm12878_l262k_w128.h5"),
      file("genes_l262k", "l262k_w128.h5", ""),
  };
}

}  // namespace t2t
