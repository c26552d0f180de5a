// YAML bodies of strangers: what is read is read again the same from its JSON form.
#include "document.hpp"

#include <algorithm>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fuzz;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    ask("input=yaml", bytes);
    const auto values = read(http::read_yaml, bytes);
    if (!values) return 0;
    const bool is_text = std::all_of(values->begin(), values->end(), [](const Value& each) {
        using netsync::detail::is_utf8;
        return is_utf8(each.name) && is_utf8(each.key) && is_utf8(each.value);
    });
    if (is_text) demand(read(http::read_json, json_of(*values)) == values);
    return 0;
}
