#ifndef T2T_BASE_SETTINGS_H_
#define T2T_BASE_SETTINGS_H_

#include <string>
#include <string_view>
#include <vector>

namespace t2t {

// One "name=value" out of a text of several, as it stands there.
struct Setting {
  std::string name;  // "" where the text is no setting
  std::string text;
};

// The settings of "a=1,b=[2,3],c=x". A comma divides two of them where a
// "name=" follows; else it belongs to the value ("dims=0,1,size=2" are two).
std::vector<Setting> SplitSettings(std::string_view text);

// Both texts as one. Where both set a name, the later text's setting counts.
std::string JoinSettings(std::string_view earlier, std::string_view later);

// The length of a name ("learning_rate", "a.b") that text begins with; 0: it
// begins with none.
size_t SettingNameLength(std::string_view text);

}  // namespace t2t

#endif  // T2T_BASE_SETTINGS_H_
