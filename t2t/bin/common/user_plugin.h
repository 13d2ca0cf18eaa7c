#ifndef T2T_BIN_COMMON_USER_PLUGIN_H_
#define T2T_BIN_COMMON_USER_PLUGIN_H_

#include <string>

namespace t2t {

// --t2t_usr_dir: has what the .cc files of a folder register (see
// t2t/problem/user_plugin.h). path: the folder, whose files are compiled by the
// system's C++ compiler ($CXX, else g++) where they, the compiler or these
// programs have changed, into ~/.cache/t2t/plugins (or $XDG_CACHE_HOME); or a
// library that was made so, for machines without a compiler.
//
// LibTorch is loaded for it only where it has models or others of its classes.
// Throws a missing error where the folder, a file in it, the headers or the
// compiler is not there, and a usage error where the files don't compile (the
// compiler's own words come before it), register a name that is taken, or were
// compiled for other programs than these.
void LoadUserPlugin(const std::string& path);

}  // namespace t2t

#endif  // T2T_BIN_COMMON_USER_PLUGIN_H_
