// JSON bodies of strangers: what is read is read again the same from its canonical form, and from that as YAML too.
#include "document.hpp"

#include <algorithm>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fuzz;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    ask("input=json", bytes);
    const auto values = read(http::read_json, bytes);
    if (!values) return 0;
    const std::string text = json_of(*values);
    demand(read(http::read_json, text) == values);
    // YAML's keys end within 1024 characters.
    const bool is_short = std::all_of(values->begin(), values->end(), [](const Value& each) {
        return each.name.size() < 100 && each.key.size() < 100;
    });
    if (is_short) demand(read(http::read_yaml, text) == values);
    return 0;
}
