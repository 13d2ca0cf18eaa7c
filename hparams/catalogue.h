#ifndef HPARAMS_CATALOGUE_H_
#define HPARAMS_CATALOGUE_H_

#include <span>
#include <string>
#include <vector>

namespace t2t {

// The catalogue of models: the one place that says which model is of which
// family, what it is, which set it is trained with and whether it is here. The
// trainer's --registry_help and the launcher read it.

struct ModelFamily {
  const char* name;  // as in HParamsTable::Family
  const char* help;
  const char* paper;  // "": none
};

struct CatalogueModel {
  const char* name;
  const char* family;
  const char* default_set;  // "": T2T has none for it
  const char* help;
  bool here = false;
};

// The most used families first.
std::span<const ModelFamily> ModelFamilies();
std::span<const CatalogueModel> CatalogueModels();

// nullptr where there is none of that name.
const ModelFamily* FindModelFamily(const std::string& name);
const CatalogueModel* FindCatalogueModel(const std::string& name);

// The names of the models that are here, sorted.
std::vector<std::string> ModelsHere();

// The first model of a family is the one that its sets are for; nullptr where
// the family has no model ("common").
const CatalogueModel* FirstModel(const std::string& family);

// Whether a set of this family can be used: one of its models is here, or it
// is "common". (The loops of reinforcement learning are no models.)
bool FamilyIsHere(const std::string& family);

}  // namespace t2t

#endif  // HPARAMS_CATALOGUE_H_
