#ifndef T2T_LAUNCH_RUN_CLI_H_
#define T2T_LAUNCH_RUN_CLI_H_

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "launch/app/app.h"
#include "launch/run/local.h"

namespace t2t {

// A command line taken apart.
struct LaunchArgs {
  std::vector<std::string> words;            // after the verb
  std::map<std::string, std::string> flags;  // the verb's own
  Overrides params;                          // --param=value

  bool Has(const std::string& flag) const { return flags.count(flag) > 0; }
  std::string Get(const std::string& flag,
                  const std::string& otherwise = "") const;
  int64_t GetInt(const std::string& flag, int64_t otherwise) const;
  double GetDouble(const std::string& flag, double otherwise) const;
  // The word at `at`; a usage error that names it where it is missing.
  const std::string& Word(size_t at, const std::string& name) const;
  void NoMoreThan(size_t words) const;
};

struct Verb {
  std::string name;
  std::string usage;  // after the name
  std::string help;
  std::string example;  // works, after those of the verbs before it
  // Flags that take a value end in '='.
  std::vector<std::string> flags;
  bool params = false;  // takes --param=value
  std::function<int(const LaunchArgs&)> run;
};

// Its own and those of every verb.
std::vector<std::string> FlagsOf(const Verb& verb);

// Every verb, in the order of the help text.
const std::vector<Verb>& Verbs();
std::vector<Verb> AppVerbs();
std::vector<Verb> ClusterVerbs();
std::vector<Verb> WorkVerbs();

// The program without its name. Throws Error; returns the exit code.
int RunLaunch(const std::vector<std::string>& arguments);

// Shared by the verbs.
App LoadApp(const LaunchArgs& args);
// The same to render it, or to say what it costs: what costs.json lacks is
// asked of t2t-trainer.
App LoadAppToRender(const LaunchArgs& args);
// The components named in args.words from `from` on (all where none is), with
// the command line's parameters (allowed for one component only).
std::vector<Component> SelectComponents(const App& app, const LaunchArgs& args,
                                        size_t from);
// All their objects; the same one is there once.
std::vector<Json> RenderAll(const std::vector<Component>& components);
// Checks and sends, and waits for the end; or runs here (--local), where
// `result` says what came of it. Returns the exit code.
int RunComponents(const App& app, const LaunchArgs& args,
                  const std::vector<Component>& components, bool keep_going,
                  LocalResult* result);
// --backend=local is short for --local; the manifests' backend stays as it is.
LaunchArgs WithLocal(LaunchArgs args);
// The flags of running.
const std::vector<std::string>& RunFlags();
// Throws a usage error that lists all that is wrong.
void ValidateOrThrow(const App& app, const std::vector<Component>& components,
                     const std::vector<Json>& objects);

// Lines that differ, as diff -u prints them; "" where none does.
std::string DiffText(const std::string& from, const std::string& to,
                     const std::string& from_name, const std::string& to_name);

}  // namespace t2t

#endif  // T2T_LAUNCH_RUN_CLI_H_
