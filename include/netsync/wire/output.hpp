// netsync: values in, bytes out, in one canonical form. The writing half of the bounded archives.
#pragma once

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstdint>
#include <cstring>
#include <netsync/detail/buffer.hpp>
#include <netsync/error.hpp>
#include <netsync/wire/archive.hpp>
#include <netsync/wire/bytes.hpp>
#include <netsync/wire/dot_space.hpp>
#include <netsync/wire/utf8.hpp>
#include <netsync/wire/varint.hpp>
#include <string_view>

namespace netsync {

/// An output archive with cereal's interface: `out(a, b)`, `out & a`. Integers are minimal varints (signed: zig-zag),
/// floats little-endian, strings and containers a count and their items, sets and maps sorted by key, structs and
/// `serialize`d classes a length and their fields; `save`/`load` pairs have the form that they choose.
/// Fails (error(), sticky) where a reader would: on nesting beyond the limit, and on strings that are not UTF-8 (bytes
/// go into a std::vector<std::byte>). One thread.
class Output {
   public:
    using is_saving = std::true_type;
    using is_loading = std::false_type;

    Output() = default;
    explicit Output(DotSpace space, std::size_t max_depth = 128) : space_(std::move(space)), depth_left_(max_depth) {}

    /// Counts what is written, and keeps nothing of it.
    void measure() noexcept { bytes_.measure(); }
    /// That so many bytes are to come: memory for them and no more.
    void expect(std::size_t size) { bytes_.expect(size); }

    /// Begins anew, as if just made.
    void restart(DotSpace space, std::size_t max_depth) {
        bytes_.clear();
        space_ = std::move(space);
        depth_left_ = max_depth;
        cost_ = 0;
        if (error_) error_ = {};
    }

    template <class... T>
    Output& operator()(const T&... values) {
        (write(values), ...);
        return *this;
    }
    /// Writes the same, and lets go of the value on the way, part by part, where its type says how (save_and_let_go): so a
    /// copy that goes on being written to need not copy the parts that are done. It is not to be looked at any more.
    template <class T>
    void let_go(T& value) {
        if constexpr (requires { value.save_and_let_go(*this); })
            within([&] { value.save_and_let_go(*this); });
        else if constexpr (is_of_fields<T>)
            within(
                [&] { record([&] { detail::for_each_field([this](auto& field) { this->let_go(field); }, value); }); });
        else
            write(value);
    }
    template <class T>
    Output& operator&(const T& value) {
        return (*this)(value);
    }
    template <class T>
    Output& operator<<(const T& value) {
        return (*this)(value);
    }

    // The vocabulary of `save` functions.

    /// A number of items that each take `item_size` bytes of the reader's memory (see Input::count).
    [[gnu::always_inline]] void count(std::size_t items, std::size_t item_size = 0) {
        varint(items);
        charge(items * item_size);
    }
    void charge(std::size_t bytes) noexcept { cost_ += bytes; }
    [[gnu::always_inline]] void varint(std::uint64_t value) {
        if (value < 0x80) return byte(static_cast<std::byte>(value));
        long_varint(value);
    }
    template <std::unsigned_integral T>
    void fixed(T value) {
        detail::write_word(bytes_.room(sizeof(T)), value);
        bytes_.grow(sizeof(T));
    }
    /// `write(at)` writes `most` bytes or fewer, and says where they end.
    template <class F>
    void in_one_piece(std::size_t most, F&& write) {
        std::byte* const at = bytes_.room(most);
        bytes_.grow(static_cast<std::size_t>(write(at) - at));
    }
    /// The time of a write, as its distance from that of the frame or state: usually one byte.
    void stamp(Ntp64 time) {
        assert(time <= space_.time() && "netsync: no value is stamped later than its frame or state");
        varint(space_.time().value - time.value);
    }
    /// One of a list of dots, and whether another follows: shorter than a count and a dot. An empty list is no_dot().
    [[gnu::always_inline]] void dot(Dot dot, bool more) { varint(1 + 2 * number_of(dot) + (more ? 1 : 0)); }
    void no_dot() { varint(0); }
    /// The same with a bit that belongs to what lies under the dot.
    void marked_dot(Dot dot, bool mark, bool more) { varint(1 + 4 * number_of(dot) + (mark ? 2 : 0) + (more ? 1 : 0)); }
    /// A text that sorts after `before`, which the reader has: how much they share, and the rest.
    void text_after(std::string_view before, std::string_view text) {
        if (!is_utf8(text)) fail(errc::not_utf8);
        const auto differs = std::mismatch(text.begin(), text.end(), before.begin(), before.end()).first;
        const auto shared = static_cast<std::size_t>(differs - text.begin());
        count(shared, 1);
        bytes(std::as_bytes(std::span{text.substr(shared)}));
    }
    void raw(ByteView bytes) { bytes_.append(bytes); }
    void bytes(ByteView bytes) {
        count(bytes.size(), 1);
        raw(bytes);
    }

    /// The dots that may be written.
    const DotSpace& space() const noexcept { return space_; }

    void fail(std::error_code error) {
        if (!error_) error_ = error;
    }
    std::error_code error() const noexcept { return error_; }
    /// Memory that reading this back takes, as Input counts it.
    std::size_t cost() const noexcept { return cost_; }
    std::size_t size() const noexcept { return bytes_.size(); }
    ByteView view() const noexcept { return bytes_.view(); }
    /// What was written, in memory of its exact size.
    Bytes take() { return bytes_.take(); }

   private:
    /// Whether it is written as a record of its fields, and in no other way that comes before that.
    template <class T>
    static constexpr bool is_of_fields =
        detail::plain_struct<T> && !detail::has_record<T, Output> && !detail::tuple_like<T> &&
        !std::same_as<T, ReplicaId> && !std::convertible_to<const T&, std::string_view> &&
        !requires(const T& value, Output& out) { value.save(out); };

    template <class T>
    void write(const T& value) {
        if constexpr (std::same_as<T, Dot>) {
            write_dot(value);
        } else if constexpr (std::same_as<T, ReplicaId>) {
            in_one_piece(2 * sizeof(std::uint64_t), [&](std::byte* at) {
                return detail::write_word(detail::write_word(at, value.owner_bits), value.incarnation);
            });
        } else if constexpr (std::same_as<T, OwnerId>) {
            fixed(static_cast<std::uint64_t>(value));
        } else if constexpr (std::same_as<T, bool>) {
            byte(static_cast<std::byte>(value ? 1 : 0));
        } else if constexpr (detail::byte_like<T>) {
            byte(static_cast<std::byte>(value));
        } else if constexpr (std::is_enum_v<T>) {
            write(static_cast<std::underlying_type_t<T>>(value));
        } else if constexpr (std::unsigned_integral<T>) {
            varint(value);
        } else if constexpr (std::signed_integral<T>) {
            const auto wide = static_cast<std::int64_t>(value);
            varint((static_cast<std::uint64_t>(wide) << 1) ^ static_cast<std::uint64_t>(wide >> 63));
        } else if constexpr (std::same_as<T, float>) {
            fixed(std::bit_cast<std::uint32_t>(value));
        } else if constexpr (std::same_as<T, double>) {
            fixed(std::bit_cast<std::uint64_t>(value));
        } else {
            within([&] { write_compound(value); });
        }
    }

    template <class F>
    void within(F&& write) {
        if (depth_left_ == 0) return fail(errc::too_deep);
        --depth_left_;
        write();
        ++depth_left_;
    }

    template <class T>
    void write_compound(const T& value) {
        using namespace detail;
        if constexpr (std::convertible_to<const T&, std::string_view>) {
            const std::string_view text = value;
            if (!is_utf8(text)) fail(errc::not_utf8);
            bytes(std::as_bytes(std::span{text.data(), text.size()}));
        } else if constexpr (is_name_value_pair<T>) {
            write(value.value);
        } else if constexpr (is_base_class<T>) {
            write(*value.base_ptr);
        } else if constexpr (is_byte_vector<T>) {
            bytes(std::as_bytes(std::span{value}));
        } else if constexpr (is_vector<T>) {
            count(value.size(), sizeof(typename T::value_type));
            for (const typename T::value_type& item : value) write(item);
        } else if constexpr (is_byte_array<T>) {
            raw(std::as_bytes(std::span{value}));
        } else if constexpr (is_std_array<T>) {
            for (const auto& item : value) write(item);
        } else if constexpr (is_map<T>) {
            count(value.size(), sizeof(typename T::value_type));
            for (const auto* item : sorted(value, [](const auto& pair) -> const auto& { return pair.first; })) {
                write(item->first);
                write(item->second);
            }
        } else if constexpr (is_set<T>) {
            count(value.size(), sizeof(typename T::value_type));
            for (const auto* item : sorted(value, [](const auto& key) -> const auto& { return key; })) write(*item);
        } else if constexpr (is_optional<T>) {
            write(value.has_value());
            if (value) write(*value);
        } else if constexpr (is_variant<T>) {
            varint(value.index());
            std::visit([&](const auto& alternative) { write(alternative); }, value);
        } else if constexpr (is_pointer_like<T>) {
            static_assert(always_false<T>, "netsync: pointers are not sent; hold the value itself");
        } else if constexpr (requires { value.save(*this); }) {
            value.save(*this);
        } else if constexpr (tuple_like<T>) {
            std::apply([&](const auto&... part) { (write(part), ...); }, value);
        } else if constexpr (has_record<T, Output> || plain_struct<T>) {
            record([&] { serialize_record(*this, const_cast<T&>(value)); });
        } else {
            static_assert(always_false<T>, "netsync: cannot encode this type; make it a plain struct or give it "
                                           "`template <class Archive> void serialize(Archive&)`");
        }
    }

    void write_dot(Dot dot) { varint(number_of(dot)); }

    [[gnu::always_inline]] std::uint64_t number_of(Dot dot) {
        const std::optional<std::uint64_t> number = space_.number(dot);
        assert(number && "netsync: a delta holds only dots that its own change minted");
        if (!number) fail(errc::malformed);
        return number.value_or(0);
    }

    template <class Container, class KeyOf>
    static auto sorted(const Container& container, KeyOf key_of) {
        std::vector<const typename Container::value_type*> items;
        items.reserve(container.size());
        for (const auto& item : container) items.push_back(&item);
        std::sort(items.begin(), items.end(), [&](const auto* a, const auto* b) { return key_of(*a) < key_of(*b); });
        return items;
    }

    /// Fields enclosed in their length. One byte is set aside; a longer length moves the fields.
    template <class F>
    void record(F&& fields) {
        const std::size_t start = bytes_.size();
        bytes_.append(std::byte{});
        fields();
        std::uint64_t length = bytes_.size() - start - 1;
        std::size_t extra = 0;
        for (std::uint64_t rest = length; rest >= 0x80; rest >>= 7) ++extra;
        if (extra > 0) bytes_.open_gap(start, extra);
        for (std::size_t at = start; at < start + extra; ++at, length >>= 7)
            bytes_.set(at, static_cast<std::byte>(length | 0x80));
        bytes_.set(start + extra, static_cast<std::byte>(length));
    }

    [[gnu::always_inline]] void byte(std::byte value) { bytes_.append(value); }
    void long_varint(std::uint64_t value) {
        bytes_.grow(detail::write_varint(bytes_.room(detail::varint_room), value));
    }

    detail::Buffer bytes_;
    DotSpace space_;
    std::size_t depth_left_ = 128;
    std::size_t cost_ = 0;
    std::error_code error_;
};

}  // namespace netsync
