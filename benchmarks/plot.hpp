// Figures as pictures: SVG files for docs/.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace plot {

struct Line {
    std::string name;
    std::vector<std::pair<double, double>> points;
    bool dashed = false;
};

struct Bar {
    std::string name;
    double value;
};

namespace detail {

constexpr double left = 60, width = 540, top = 40, height = 220, bottom = top + height;

inline std::string short_of(double value) {
    const bool thousands = value >= 10'000, millions = value >= 1'000'000;
    std::string text = std::to_string(millions ? value / 1e6 : thousands ? value / 1e3 : value);
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
    return text + (millions ? "M" : thousands ? "k" : "");
}

inline std::string escaped(const std::string& text) {
    std::string result;
    for (const char c : text) result += c == '<' ? "&lt;" : c == '&' ? "&amp;" : std::string(1, c);
    return result;
}

inline std::ofstream begin(const char* path, double whole_height, const std::string& title) {
    std::ofstream svg(path);
    svg << "<svg xmlns='http://www.w3.org/2000/svg' width='640' height='" << whole_height
        << "' font-family='sans-serif' font-size='12'>\n<rect width='640' height='" << whole_height
        << "' fill='white'/>\n<text x='" << left << "' y='20'>" << escaped(title) << "</text>\n";
    return svg;
}

/// The least of 1, 2, 5, 10, ... that leaves at most five steps up to `most`.
inline double step_for(double most) {
    double step = std::pow(10, std::floor(std::log10(most / 5)));
    for (const double factor : {2.0, 2.5, 2.0})
        if (most / step > 5) step *= factor;
    return step;
}

}  // namespace detail

/// Lines over an axis whose steps are powers: what is plotted is positive. `across`: what the axis shows.
inline void lines(const char* path, const std::string& title, const std::string& across, const std::vector<Line>& all) {
    using namespace detail;
    const char* const colors[] = {"#888", "#06c", "#c40", "#282", "#82a", "#b80"};
    double least = all[0].points[0].first, last = least, most = 0;
    for (const Line& line : all)
        for (const auto& [x, y] : line.points)
            least = std::min(least, x), last = std::max(last, x), most = std::max(most, y);
    const double step = step_for(most);
    most = std::ceil(most / step) * step;
    const auto x_of = [&](double x) { return left + width * std::log(x / least) / std::log(last / least); };
    const auto y_of = [&](double y) { return bottom - height * y / most; };
    const double legend = bottom + 60;
    std::ofstream svg = begin(path, legend + 18 * static_cast<double>((all.size() + 1) / 2), title);
    for (double value = 0; value <= most; value += step)
        svg << "<line x1='" << left << "' x2='" << left + width << "' y1='" << y_of(value) << "' y2='" << y_of(value)
            << "' stroke='#ddd'/><text x='" << left - 8 << "' y='" << y_of(value) + 4 << "' text-anchor='end'>"
            << short_of(value) << "</text>\n";
    for (const auto& [x, y] : all[0].points)
        svg << "<text x='" << x_of(x) << "' y='" << bottom + 18 << "' text-anchor='middle'>" << short_of(x)
            << "</text>\n";
    svg << "<text x='" << left + width / 2 << "' y='" << bottom + 36 << "' text-anchor='middle'>" << across
        << "</text>\n";
    for (std::size_t at = 0; at < all.size(); ++at) {
        const std::string stroke = std::string("stroke='") + colors[at % std::size(colors)] + "' stroke-width='2'" +
                                   (all[at].dashed ? " stroke-dasharray='4'" : "");
        svg << "<polyline fill='none' " << stroke << " points='";
        for (const auto& [x, y] : all[at].points) svg << x_of(x) << ',' << y_of(y) << ' ';
        const double x = left + width / 2 * static_cast<double>(at % 2), y = legend + 18 * static_cast<double>(at / 2);
        svg << "'/>\n<line x1='" << x << "' x2='" << x + 24 << "' y1='" << y - 4 << "' y2='" << y - 4 << "' " << stroke
            << "/><text x='" << x + 32 << "' y='" << y << "'>" << escaped(all[at].name) << "</text>\n";
    }
    svg << "</svg>\n";
}

/// Bars from 1 to what each value is, over an axis whose steps are powers of two: to the right where it is more than 1.
inline void bars(const char* path, const std::string& title, const std::vector<Bar>& all) {
    using namespace detail;
    constexpr double row = 20, names = 380, right = 620, most = 8;  // more than that is shown as that
    const auto x_of = [&](double value) {
        const double part = std::log2(std::clamp(value, 1 / most, most)) / std::log2(most);  // -1 to 1
        return names + (right - names) * (part + 1) / 2;
    };
    const double end = top + row * static_cast<double>(all.size());
    std::ofstream svg = begin(path, end + 30, title);
    for (double value = 1 / most; value <= most; value *= 2)
        svg << "<line x1='" << x_of(value) << "' x2='" << x_of(value) << "' y1='" << top - 4 << "' y2='" << end
            << "' stroke='" << (value == 1 ? "#000" : "#ddd") << "'/><text x='" << x_of(value) << "' y='" << end + 16
            << "' text-anchor='middle' font-size='10'>" << short_of(value) << "</text>\n";
    for (std::size_t at = 0; at < all.size(); ++at) {
        const double y = top + row * static_cast<double>(at), from = x_of(1), to = x_of(all[at].value);
        svg << "<text x='" << names - 8 << "' y='" << y + 13 << "' text-anchor='end' font-size='11'>"
            << escaped(all[at].name) << "</text><rect x='" << std::min(from, to) << "' y='" << y + 3 << "' width='"
            << std::abs(to - from) << "' height='" << row - 8 << "' fill='" << (all[at].value < 1 ? "#c40" : "#06c")
            << "'/>\n";
    }
    svg << "</svg>\n";
}

}  // namespace plot
