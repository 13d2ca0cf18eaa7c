#ifndef T2T_BASE_PLUGIN_H_
#define T2T_BASE_PLUGIN_H_

#include <string>

namespace t2t {

// Parts of the program that link to libraries which not every machine has are
// shared objects of their own, opened where they are asked for.
struct Plugin {
  std::string file;    // "libt2t_mpi.so"
  std::string folder;  // of it in Bazel's tree: "t2t/distributed/mpi"
  std::string symbol;  // what to find in it
  std::string asked;   // by what: "--backend=mpi"
  std::string todo;    // where it can't be opened
  // Behind a wall: it and the libraries that it brings see each other's names
  // first, and nobody else sees any of theirs. (A sanitizer's runtime forbids
  // the first half; a program built with one has only the second.)
  bool walled = false;
  // A part of the programs themselves: $T2T_PLUGIN_DIR has no say.
  bool own = false;
};

// The first file that is there of all places where the plug-in may be; "" where
// none is.
std::string FindPlugin(const Plugin& plugin);

// The symbol's address. The file is looked for in $T2T_PLUGIN_DIR (and nowhere
// else where that is set), beside the program, in the lib beside its folder and
// in Bazel's tree. Where it isn't there or can't be opened: a
// missing error that says why.
void* OpenPlugin(const Plugin& plugin);

}  // namespace t2t

#endif  // T2T_BASE_PLUGIN_H_
