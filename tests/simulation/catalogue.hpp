// Every type of the library and many of their nestings, changed at random under faults; what is read of each is compared
// with what the changes say (specification.hpp).
#pragma once

#include <netsync/describe.hpp>
#include <netsync/netsync.hpp>
#include <netsync/testing.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "../crdt/catalogue.hpp"
#include "specification.hpp"

namespace simulated {

struct Sheet {
    LwwRegister<std::uint64_t> title{};
    Text body{};
    List<std::uint64_t> items{};
    RwSet<std::uint64_t> allowed{};
    LwwMap<std::string, std::uint64_t> notes{};
    LwwSet<std::uint64_t> labels{};
    MvRegister<std::uint64_t> drafts{};
    PnCounter balance{};
    DisableWinsFlag open{};
    TwoPhaseSet<std::uint64_t> names{};
};

struct Binder {
    OrMap<std::string, Binder> children{};
    OrSet<std::uint64_t> files{};
    Text label{};
};

struct Sets {
    GSet<std::uint64_t> grown{};
    TwoPhaseSet<std::uint64_t> names{};
    LwwSet<std::uint64_t> labels{};
    OrSet<std::uint64_t> tickets{};
    RwSet<std::uint64_t> allowed{};
    Bag<std::uint64_t> bag{};
};

struct Counters {
    GCounter grown{};
    PnCounter balance{};
    ResettableCounter visits{};
    BoundedCounter<-3> stock{};
    MinRegister<std::int64_t> least{};
    MaxRegister<std::int64_t> greatest{};
    EnableWinsFlag on{};
    DisableWinsFlag off{};
    LwwRegister<std::uint64_t> title{};
    MvRegister<std::uint64_t> drafts{};
};

struct Maps {
    LwwMap<std::string, std::uint64_t> notes{};
    GMap<std::string, LwwSet<std::uint64_t>> kept{};
    GMap<std::string, Bag<std::uint64_t>> bags{};
    OrMap<std::string, Sheet> sheets{};
    OrMap<std::string, OrMap<std::string, LwwMap<std::string, std::uint64_t>>> deep{};
    OrMap<std::string, Text> texts{};
    OrMap<std::string, List<std::uint64_t>> lists{};
    OrMap<std::string, Tree<LwwRegister<std::uint64_t>>> trees{};
    Owned<RwSet<std::uint64_t>> own{};
    LwwChoice<Text, OrSet<std::uint64_t>, PnCounter> choice{};
    OrMap<std::string, LwwChoice<LwwMap<std::string, std::uint64_t>, List<std::uint64_t>>> choices{};
};

struct Everything {
    Sets sets{};
    Counters counters{};
    Maps maps{};
    List<std::uint64_t> list{};
    Text text{};
    Tree<LwwRegister<std::uint64_t>> tree{};
    Tree<Sheet> sheets{};
    Binder binder{};
    laws::Wide wide{};  // these two change by what the laws change them by, and nothing is said of what they read
    OrMap<std::string, laws::Bush> bush{};
};

/// Makes a random change of whatever type, and notes what it says.
class Author {
   public:
    using Random = testing::Random;
    template <class T>
    using Number = std::integral_constant<std::size_t, T::value>;

    Author(Change& change, Random& random, std::uint64_t& fresh, std::map<std::string, std::uint64_t>& typed,
           std::vector<Done>& done, std::size_t step)
        : change_(change), random_(random), fresh_(fresh), typed_(typed), done_(done), step_(step) {}

    template <detail::composite T>
    T act(const T& now, const std::string& place) {
        T delta{};
        std::size_t count = 0;
        detail::for_each_field([&](const auto&) { ++count; }, now);
        const std::size_t chosen = random_.below(count);
        std::size_t at = 0;
        std::vector<std::string> names;
        detail::for_each_named_field([&](std::string_view name, const auto&) { names.emplace_back(name); }, now);
        detail::for_each_field(
            [&](auto& part, const auto& held) {
                if (at++ == chosen) part = act(held, place + '/' + names[chosen]);
            },
            delta, now);
        return delta;
    }

    laws::Wide act(const laws::Wide& now, const std::string&) { return laws::mutate(now, change_, random_); }
    OrMap<std::string, laws::Bush> act(const OrMap<std::string, laws::Bush>& now, const std::string&) {
        return laws::mutate(now, change_, random_);
    }

    // Sets.

    GSet<std::uint64_t> act(const GSet<std::uint64_t>& now, const std::string& place) {
        const std::uint64_t element = key();
        return tell(now.add(change_, element), {place, Verb::put, std::to_string(element)});
    }
    template <class Set>
        requires requires(const Set& now, Change& change) {
            now.add(change, std::uint64_t{});
            now.remove(change, std::uint64_t{});
            now.contains(std::uint64_t{});
        }
    Set act(const Set& now, const std::string& place) {
        const std::uint64_t element = key();
        if (random_.below(5) < 3) return tell(now.add(change_, element), {place, Verb::put, std::to_string(element)});
        return tell(now.remove(change_, element), {place, Verb::take, std::to_string(element)});
    }
    Bag<std::uint64_t> act(const Bag<std::uint64_t>& now, const std::string& place) {
        const std::uint64_t element = key(), number = 1 + random_.below(3);
        if (random_.below(3) == 0)
            return tell(now.remove(change_, element), {place, Verb::reset, std::to_string(element)});
        return tell(now.add(change_, element, number),
                    {place, Verb::count, std::to_string(element), static_cast<std::int64_t>(number)});
    }

    // Counters, flags, registers.

    template <class Counter>
        requires requires(const Counter& now, Change& change) { now.increment(change, 1); }
    Counter act(const Counter& now, const std::string& place) {
        const std::uint64_t by = 1 + random_.below(4);
        const auto number = static_cast<std::int64_t>(by);
        const std::string self = owner();
        const std::uint64_t what = random_.below(6);
        if constexpr (requires { now.reset(change_); })
            if (what == 0) return tell(now.reset(change_), {place, Verb::reset});
        if constexpr (requires { now.transfer(change_, OwnerId{}, by); })
            if (what == 0) {
                std::vector<OwnerId> others = known_;
                std::erase(others, change_.owner());
                if (!others.empty()) {
                    const OwnerId to = others[random_.below(others.size())];
                    return tell(now.transfer(change_, to, by), {place, Verb::give, self, number, text_of(to)});
                }
            }
        if constexpr (requires { now.decrement(change_, by); })
            if (what <= 2) return tell(now.decrement(change_, by), {place, Verb::count, "", -number, self});
        return tell(now.increment(change_, by), {place, Verb::count, "", number, self});
    }
    template <class Flag>
        requires requires(const Flag& now, Change& change) { now.enable(change); }
    Flag act(const Flag& now, const std::string& place) {
        if (random_.below(2) == 0) return tell(now.enable(change_), {place, Verb::put});
        return tell(now.disable(change_), {place, Verb::take});
    }
    template <class Register>
        requires requires(const Register& now, Change& change) { now.assign(change, 1); }
    Register act(const Register& now, const std::string& place) {
        const auto value = ++fresh_;
        if constexpr (std::is_same_v<Register, MinRegister<std::int64_t>> ||
                      std::is_same_v<Register, MaxRegister<std::int64_t>>) {
            const auto other = static_cast<std::int64_t>(random_.below(1000));
            return tell(now.assign(change_, other), {place, Verb::put, "", other});
        } else {
            return tell(now.assign(change_, value), {place, Verb::put, "", static_cast<std::int64_t>(value)});
        }
    }

    // Maps.

    LwwMap<std::string, std::uint64_t> act(const LwwMap<std::string, std::uint64_t>& now, const std::string& place) {
        const std::string at = name();
        if (random_.below(3) == 0) return tell(now.remove(change_, at), {place, Verb::take, at});
        const auto value = ++fresh_;
        return tell(now.assign(change_, at, value), {place, Verb::put, at, static_cast<std::int64_t>(value)});
    }
    template <class V>
    OrMap<std::string, V> act(const OrMap<std::string, V>& now, const std::string& place) {
        const std::string at = name();
        if (random_.below(6) == 0) return tell(now.remove(change_, at), {place + '/' + at, Verb::drop});
        return now.update(change_, at, [&](const V& part, Change&) { return act(part, place + '/' + at); });
    }
    template <class V>
    GMap<std::string, V> act(const GMap<std::string, V>& now, const std::string& place) {
        const std::string at = name();
        say({place, Verb::put, at});
        return now.update(change_, at, [&](const V& part, Change&) { return act(part, place + '/' + at); });
    }
    template <class Part>
    Owned<Part> act(const Owned<Part>& now, const std::string& place) {
        return now.update(change_, [&](const Part& part, Change&) { return act(part, place + '/' + owner()); });
    }
    template <class... T>
    LwwChoice<T...> act(const LwwChoice<T...>& now, const std::string& place) {
        const std::size_t which = random_.below(sizeof...(T) + 1);
        const auto chosen = [&](LwwChoice<T...> delta, std::size_t index) {
            if (!delta.has_choice()) return delta;
            say({place, Verb::put, "", static_cast<std::int64_t>(index)});
            say({place + "/content", Verb::drop});
            return delta;
        };
        if (which == sizeof...(T)) return chosen(now.clear(change_), which);
        LwwChoice<T...> delta;
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            ((I == which && random_.below(5) > 0
                  ? void(delta = chosen(update_choice<I>(now, place), I))
                  : void(I == which ? void(delta = chosen(now.choose(change_, I), I)) : void())),
             ...);
        }(std::index_sequence_for<T...>{});
        return delta;
    }

    // Sequences: each element is a number of its own.

    List<std::uint64_t> act(const List<std::uint64_t>& now, const std::string& place) {
        const std::size_t at = typing_place(place, now.size(), [&](std::size_t i) { return now[i]; });
        switch (random_.below(8)) {
        case 0:
        case 1: {
            const std::size_t count =
                std::min<std::size_t>(1 + random_.below(3), now.size() - std::min(at, now.size()));
            std::vector<Done> gone;
            for (std::size_t i = 0; i < count; ++i) gone.push_back({place, Verb::take, std::to_string(now[at + i])});
            for (const Done& each : gone) say(each);
            return now.erase(change_, at, count);
        }
        case 2: {
            if (now.size() < 2) break;
            const std::size_t from = random_.below(now.size()), to = random_.below(now.size());
            return tell(now.move(change_, from, to), {place, Verb::put, std::to_string(now[from]), 1});
        }
        default: break;
        }
        std::vector<std::uint64_t> more;
        for (std::uint64_t count = 1 + random_.below(3); count > 0; --count) more.push_back(++fresh_);
        type(place, more, at > 0 ? now[at - 1] : 0);
        return now.insert(change_, at, more.begin(), more.end());
    }
    Text act(const Text& now, const std::string& place) {
        const auto number = [&](std::size_t i) { return static_cast<std::uint64_t>(now[i]) - first_point; };
        const std::size_t at = typing_place(place, now.size(), number);
        if (random_.below(4) == 0) {
            const std::size_t count = std::min<std::size_t>(1 + random_.below(3), now.size() - at);
            for (std::size_t i = 0; i < count; ++i) say({place, Verb::take, std::to_string(number(at + i))});
            return now.erase(change_, at, count);
        }
        std::vector<std::uint64_t> more;
        std::string text;
        for (std::uint64_t count = 1 + random_.below(3); count > 0; --count) {
            more.push_back(++fresh_);
            append_point(text, first_point + more.back());
        }
        type(place, more, at > 0 ? number(at - 1) : 0);
        return now.insert(change_, at, text);
    }

    template <class V>
    Tree<V> act(const Tree<V>& now, const std::string& place) {
        std::vector<NodeId> nodes;
        now.for_each([&](const NodeId& node, const V&, std::size_t) { nodes.push_back(node); });
        const auto any = [&] { return nodes.empty() ? Tree<V>::root : nodes[random_.below(nodes.size())]; };
        const auto under = [&](const Tree<V>& delta, const NodeId& node, const NodeId& parent) {
            say({place, Verb::move, text_of(node), 0, text_of(parent)});
            delta.for_each_mentioned([&](const NodeId& other) {  // siblings that moved aside
                if (other != node) say({place, Verb::move, text_of(other), 0, text_of(parent)});
            });
            return delta;
        };
        const std::uint64_t what = random_.below(nodes.size() > 8 ? 10 : 6);
        const NodeId parent = random_.below(3) == 0 ? Tree<V>::root : any();
        const std::size_t position = random_.below(3);
        if (nodes.empty() || what == 0) {
            const Tree<V> delta = now.insert(change_, parent, position);
            return under(delta, delta.inserted(), parent);
        }
        const NodeId node = any();
        if (what <= 2 || what == 6) {
            const Tree<V> delta = now.move(change_, node, parent, position);
            return delta.is_bottom() ? delta : under(delta, node, parent);
        }
        if (what >= 7) return tell(now.remove(change_, node), {place, Verb::move, text_of(node), 0, "gone"});
        return now.update(change_, node,
                          [&](const V& part, Change&) { return act(part, place + '/' + text_of(node)); });
    }

    static std::string text_of(const NodeId& node) {
        return node.is_root() ? "root" : std::to_string(node.counter) + '.' + to_string(node.replica);
    }
    static std::string text_of(OwnerId owner) { return std::to_string(static_cast<std::uint64_t>(owner)); }
    static constexpr std::uint64_t first_point = 0x10000;

    void know(std::vector<OwnerId> owners) { known_ = std::move(owners); }

   private:
    std::uint64_t key() { return random_.below(4); }
    std::string name() { return std::string(1, static_cast<char>('a' + random_.below(3))); }
    std::string owner() const { return text_of(change_.owner()); }

    void say(Done done) {
        done.step = step_;
        done_.push_back(std::move(done));
    }
    /// Notes it if it is anything.
    template <class T>
    T tell(T delta, Done done) {
        const std::size_t now = change_.minted().size() + change_.removed().size();
        if (now != std::exchange(size_, now)) say(std::move(done));
        return delta;
    }

    template <std::size_t I, class... T>
    LwwChoice<T...> update_choice(const LwwChoice<T...>& now, const std::string& place) {
        return now.update(change_, alternative<I>, [&](const auto& part, Change&) {
            size_ = change_.minted().size() + change_.removed().size();  // what choosing took
            return act(part, place + "/content/" + std::to_string(I));
        });
    }

    /// Where one goes on writing more often than not: right behind what one wrote last.
    template <class At>
    std::size_t typing_place(const std::string& place, std::size_t size, At&& at) {
        if (const auto last = typed_.find(place); last != typed_.end() && random_.below(3) > 0)
            for (std::size_t i = 0; i < size; ++i)
                if (at(i) == last->second) return random_.below(6) == 0 ? i : i + 1;
        return random_.below(size + 1);
    }
    /// Notes what follows upon `before` without a gap, if that was this replica's last.
    void type(const std::string& place, const std::vector<std::uint64_t>& more, std::uint64_t before) {
        std::uint64_t& last = typed_[place];
        std::string follows = last == before && before != 0 ? std::to_string(before) : "";
        for (const std::uint64_t each : more) {
            say({place, Verb::put, std::to_string(each), 0, follows});
            follows = std::to_string(last = each);
        }
    }
    static void append_point(std::string& text, std::uint64_t point) {
        text += static_cast<char>(0xf0 | (point >> 18));
        for (const int shift : {12, 6, 0}) text += static_cast<char>(0x80 | ((point >> shift) & 0x3f));
    }

    Change& change_;
    Random& random_;
    std::uint64_t& fresh_;
    std::map<std::string, std::uint64_t>& typed_;
    std::vector<Done>& done_;
    std::size_t step_;
    std::vector<OwnerId> known_;
    std::size_t size_ = 0;
};

}  // namespace simulated
