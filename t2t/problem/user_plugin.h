#ifndef T2T_PROBLEM_USER_PLUGIN_H_
#define T2T_PROBLEM_USER_PLUGIN_H_

#include "t2t/problem/registries.h"

// For the .cc files of a --t2t_usr_dir; one of them has, once,
//
//   T2T_USER_PLUGIN(registries) {
//     registries.problems.Add("my_problem", MyProblem);  // makes a Problem
//   }
//
// which is called at start-up. Keep what the files define in a namespace of
// your own: a name that the programs have, too, would be theirs.

// (The programs give the compiler the version of what they are themselves.)
#ifndef T2T_PLUGIN_VERSION
#define T2T_PLUGIN_VERSION "of no version"
#endif

#define T2T_USER_PLUGIN(registries)                                            \
  static void T2TRegisterUserPlugin(const ::t2t::Registries& registries);      \
  extern "C" const char* T2TUserPluginVersion() { return T2T_PLUGIN_VERSION; } \
  extern "C" void T2TUserPlugin(const ::t2t::Registries* all) {                \
    T2TRegisterUserPlugin(*all);                                               \
  }                                                                            \
  static void T2TRegisterUserPlugin(                                           \
      [[maybe_unused]] const ::t2t::Registries& registries)

#endif  // T2T_PROBLEM_USER_PLUGIN_H_
