// netsync: bytes in, values out, and no trust in between. The reading half of the bounded archives.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <netsync/crdt/composition.hpp>
#include <netsync/error.hpp>
#include <netsync/wire/archive.hpp>
#include <netsync/wire/bytes.hpp>
#include <netsync/wire/dot_space.hpp>
#include <netsync/wire/utf8.hpp>
#include <netsync/wire/varint.hpp>
#include <string_view>

namespace netsync {

/// An input archive with cereal's interface. Every size is checked against the bytes left and the memory budget before
/// anything is allocated; varints are minimal, keys sorted and unique, bools 0 or 1, strings UTF-8, dots and times
/// within the DotSpace. After the first error (error(), sticky) everything reads as default values and no more is
/// consumed; the caller discards what it got. One thread.
class Input {
   public:
    using is_saving = std::false_type;
    using is_loading = std::true_type;

    /// `budget`: bytes of memory that the values read may take in all.
    Input(ByteView bytes, std::size_t budget, const DotSpace* space = nullptr, std::size_t max_depth = 128)
        : bytes_(bytes), end_(bytes.size()), budget_(budget), space_(space), depth_left_(max_depth) {}

    template <class... T>
    Input& operator()(T&&... values) {
        (read_field(values), ...);
        return *this;
    }
    template <class T>
    Input& operator&(T&& value) {
        return (*this)(value);
    }
    template <class T>
    Input& operator>>(T&& value) {
        return (*this)(value);
    }

    /// Reads what was written of such a value and joins it with the one held, part by part where its type says how
    /// (load_and_merge), so that it lies nowhere in between. True if that changed. After an error what is held is of no use.
    template <crdt T>
    bool merge_into(T& held, const Join& join) {
        bool changed = false;
        if constexpr (requires { held.load_and_merge(*this, join); }) {
            within([&] { changed = held.load_and_merge(*this, join); });
        } else if constexpr (is_of_fields<T>) {
            const auto fields = [&](auto& field) { changed |= field_into(field, join); };
            within([&] { read_record([&] { detail::for_each_field(fields, held); }); });
        } else {
            T theirs{};
            read(theirs);
            changed = ok() && netsync::merge(held, std::move(theirs), join);
        }
        return changed;
    }

    // The vocabulary of `load` functions.

    /// A number of items, of which at least one byte each (`per_byte` of them to a byte) must still follow, and each of
    /// which will take `item_size` bytes of memory. 0 after an error.
    std::size_t count(std::size_t item_size, std::size_t per_byte = 1) {
        const std::uint64_t items = varint();
        if (items > remaining() * per_byte + (per_byte - 1)) {
            fail(errc::malformed);
            return 0;
        }
        charge(static_cast<std::size_t>(items) * item_size);
        return ok() ? static_cast<std::size_t>(items) : 0;
    }

    /// Takes `bytes` from the budget; errc::too_large when it is used up.
    void charge(std::size_t bytes) {
        if (bytes > budget_) return fail(errc::too_large);
        budget_ -= bytes;
    }

    [[gnu::always_inline]] std::uint64_t varint() {
        if (at_ < end_ && bytes_[at_] < std::byte{0x80}) return std::to_integer<std::uint64_t>(bytes_[at_++]);
        return long_varint();
    }

    template <std::unsigned_integral T>
    T fixed() {
        const ByteView from = raw(sizeof(T));
        return from.empty() ? T{} : static_cast<T>(detail::read_word(from.data(), sizeof(T)));
    }

    /// The time of a write; never later than that of its frame or state.
    Ntp64 stamp() {
        const std::uint64_t before = varint(), latest = space_ ? space_->time().value : 0;
        if (before > latest) fail(errc::malformed);
        return ok() ? Ntp64{latest - before} : Ntp64{};
    }

    /// One of a list of dots, and whether `more` follow. `Dot{}` for an empty list, and after an error.
    Dot dot(bool& more) {
        const std::uint64_t head = varint();
        more = head > 0 && (head - 1) % 2 == 1;
        return head == 0 ? Dot{} : dot_of((head - 1) / 2);
    }
    Dot marked_dot(bool& mark, bool& more) {
        const std::uint64_t head = varint();
        more = head > 0 && (head - 1) % 2 == 1;
        mark = head > 0 && (head - 1) / 2 % 2 == 1;
        return head == 0 ? Dot{} : dot_of((head - 1) / 4);
    }

    /// See Output::text_after. errc::malformed unless the text sorts after `before`.
    void text_after(const std::string& before, std::string& text) {
        const std::uint64_t shared = varint();
        if (shared > before.size()) return fail(errc::malformed);
        charge(static_cast<std::size_t>(shared));
        const ByteView rest = bytes();
        if (!ok()) return;
        const auto from = static_cast<std::size_t>(shared);
        const bool goes_on = from < before.size();
        if (rest.empty() || (goes_on && !(static_cast<std::byte>(before[from]) < rest.front())))
            return fail(errc::malformed);
        std::string whole(from + rest.size(), '\0');  // of its exact size: most are kept
        std::memcpy(whole.data(), before.data(), from);
        std::memcpy(whole.data() + from, rest.data(), rest.size());
        text = std::move(whole);
        if (!is_utf8(text)) fail(errc::malformed);
    }

    /// `size` bytes where they lie; empty after an error.
    ByteView raw(std::size_t size) {
        if (!ok() || size > remaining()) {
            fail(errc::malformed);
            return {};
        }
        const ByteView result = bytes_.subspan(at_, size);
        at_ += size;
        return result;
    }
    ByteView bytes() { return raw(count(1)); }
    /// Takes `count` bytes where all of them are zero, and else nothing: false.
    bool take_zeros(std::size_t count) noexcept {
        if (remaining() < count) return false;
        for (std::size_t next = at_; next < at_ + count; ++next)
            if (bytes_[next] != std::byte{}) return false;
        at_ += count;
        return true;
    }
    /// What is left; nothing of it is taken.
    ByteView peek() const noexcept { return bytes_.subspan(at_, remaining()); }

    /// The dots that may be read, or null where there are none.
    const DotSpace* space() const noexcept { return space_; }

    void fail(std::error_code error) {
        if (!error_) error_ = error;
        at_ = end_;
    }
    bool ok() const noexcept { return !error_; }
    std::error_code error() const noexcept { return error_; }
    std::size_t remaining() const noexcept { return end_ - at_; }

    /// errc::malformed unless everything was read: to be called at the end.
    std::error_code finish() {
        if (ok() && remaining() != 0) fail(errc::malformed);
        return error_;
    }

   private:
    /// See Output.
    template <class T>
    static constexpr bool is_of_fields = detail::composite<T> && !detail::has_record<T, Input> &&
                                         !detail::tuple_like<T> && !requires(T& value, Input& in) { value.load(in); };

    /// A field of a record may be missing at its end: an older program wrote it. It keeps its default.
    template <class T>
    void read_field(T& value) {
        if (in_record_ && at_ == end_) return;
        const bool outer = std::exchange(in_record_, false);
        read(value);
        in_record_ = outer;
    }
    template <class T>
    bool field_into(T& held, const Join& join) {
        if (in_record_ && at_ == end_) return ok() && netsync::merge(held, T{}, join);
        const bool outer = std::exchange(in_record_, false);
        const bool changed = merge_into(held, join);
        in_record_ = outer;
        return changed;
    }

    template <class F>
    void within(F&& read) {
        if (depth_left_ == 0) return fail(errc::too_deep);
        --depth_left_;
        read();
        ++depth_left_;
    }

    template <class T>
    void read(T& value) {
        if constexpr (std::same_as<T, Dot>) {
            read_dot(value);
        } else if constexpr (std::same_as<T, ReplicaId>) {
            const ByteView from = raw(2 * sizeof(std::uint64_t));
            value = from.empty() ? ReplicaId{}
                                 : ReplicaId{detail::read_word(from.data()), detail::read_word(from.data() + 8)};
        } else if constexpr (std::same_as<T, OwnerId>) {
            value = OwnerId{fixed<std::uint64_t>()};
        } else if constexpr (std::same_as<T, bool>) {
            const auto bit = std::to_integer<unsigned>(byte());
            if (bit > 1) return fail(errc::malformed);
            value = bit == 1;
        } else if constexpr (detail::byte_like<T>) {
            value = static_cast<T>(byte());
        } else if constexpr (std::is_enum_v<T>) {
            std::underlying_type_t<T> number{};
            read(number);
            value = static_cast<T>(number);
        } else if constexpr (std::unsigned_integral<T>) {
            const std::uint64_t wide = varint();
            if (wide > std::numeric_limits<T>::max()) return fail(errc::malformed);
            value = static_cast<T>(wide);
        } else if constexpr (std::signed_integral<T>) {
            const std::uint64_t coded = varint();
            const auto wide = static_cast<std::int64_t>((coded >> 1) ^ (~(coded & 1) + 1));
            if (wide < std::numeric_limits<T>::min() || wide > std::numeric_limits<T>::max())
                return fail(errc::malformed);
            value = static_cast<T>(wide);
        } else if constexpr (std::same_as<T, float>) {
            value = std::bit_cast<float>(fixed<std::uint32_t>());
        } else if constexpr (std::same_as<T, double>) {
            value = std::bit_cast<double>(fixed<std::uint64_t>());
        } else {
            within([&] { read_compound(value); });
        }
    }

    template <class T>
    void read_compound(T& value) {
        using namespace detail;
        if constexpr (std::same_as<T, std::string>) {
            const ByteView from = bytes();
            if (!is_utf8(from)) return fail(errc::malformed);
            value = std::string(reinterpret_cast<const char*>(from.data()), from.size());  // of its exact size
        } else if constexpr (is_name_value_pair<T>) {
            read(value.value);
        } else if constexpr (is_base_class<T>) {
            read(*value.base_ptr);
        } else if constexpr (is_byte_vector<T>) {
            const ByteView from = bytes();
            const auto* const first = reinterpret_cast<const typename T::value_type*>(from.data());
            value.assign(first, first + from.size());
        } else if constexpr (is_vector<T>) {
            value.clear();
            const std::size_t items = count(sizeof(typename T::value_type));
            value.reserve(items);
            for (std::size_t at = 0; at < items && ok(); ++at) {
                typename T::value_type item{};
                read(item);
                value.push_back(std::move(item));
            }
        } else if constexpr (is_byte_array<T>) {
            const ByteView from = raw(value.size());
            if (!from.empty()) std::memcpy(value.data(), from.data(), from.size());
        } else if constexpr (is_std_array<T>) {
            for (auto& item : value) read(item);
        } else if constexpr (is_map<T> || is_set<T>) {
            read_sorted(value);
        } else if constexpr (is_optional<T>) {
            bool present = false;
            read(present);
            value.reset();
            if (present && ok()) read(value.emplace());
        } else if constexpr (is_variant<T>) {
            read_alternative<0>(value, varint());
        } else if constexpr (is_pointer_like<T>) {
            static_assert(always_false<T>, "netsync: pointers are not sent; hold the value itself");
        } else if constexpr (requires { value.load(*this); }) {
            value.load(*this);
        } else if constexpr (tuple_like<T>) {
            std::apply([&](auto&... part) { (read(part), ...); }, value);
        } else if constexpr (has_record<T, Input> || plain_struct<T>) {
            read_record([&] { serialize_record(*this, value); });
        } else {
            static_assert(always_false<T>, "netsync: cannot decode this type; make it a plain struct or give it "
                                           "`template <class Archive> void serialize(Archive&)`");
        }
    }

    template <class F>
    void read_record(F&& fields) {
        const std::size_t length = count(0);
        if (!ok()) return;
        const std::size_t outer_end = std::exchange(end_, at_ + length);
        const bool outer = std::exchange(in_record_, true);
        fields();
        in_record_ = outer;
        if (ok()) at_ = end_;  // fields that a newer program added
        end_ = outer_end;
        if (!ok()) at_ = end_;
    }

    template <class T>
    void read_sorted(T& value) {
        value.clear();
        using Key = typename T::key_type;
        std::optional<Key> previous;
        for (std::size_t left = count(sizeof(typename T::value_type)); left > 0 && ok(); --left) {
            Key key{};
            read(key);
            if (!ok()) return;
            if (previous && !(*previous < key)) return fail(errc::malformed);
            previous = key;
            if constexpr (detail::is_map<T>)
                read(value[std::move(key)]);
            else
                value.insert(std::move(key));
        }
    }

    template <std::size_t Index, class... T>
    void read_alternative(std::variant<T...>& value, std::uint64_t index) {
        if constexpr (Index == sizeof...(T)) {
            fail(errc::malformed);
        } else if (index == Index) {
            read(value.template emplace<Index>());
        } else {
            read_alternative<Index + 1>(value, index);
        }
    }

    void read_dot(Dot& dot) { dot = dot_of(varint()); }

    Dot dot_of(std::uint64_t number) {
        const Dot dot = space_ && ok() ? space_->dot(number) : Dot{};
        if (!dot) fail(errc::malformed);
        return dot;
    }

    std::uint64_t long_varint() {
        std::uint64_t value = 0;
        if (remaining() >= detail::varint_room) {
            const std::size_t size = detail::read_varint(bytes_.data() + at_, value);
            at_ += size;
            if (size > 0) return value;
            fail(errc::malformed);
            return 0;
        }
        for (unsigned shift = 0; shift < 64; shift += 7) {
            const auto next = static_cast<std::uint64_t>(byte());
            if (!ok()) return 0;
            if (shift == 63 && next > 1) break;
            value |= (next & 0x7f) << shift;
            if (next < 0x80) {
                if (next == 0 && shift > 0) break;  // not minimal
                return value;
            }
        }
        fail(errc::malformed);
        return 0;
    }

    std::byte byte() {
        if (!ok() || at_ == end_) {
            fail(errc::malformed);
            return {};
        }
        return bytes_[at_++];
    }

    ByteView bytes_;
    std::size_t at_ = 0;
    std::size_t end_;
    std::size_t budget_;
    const DotSpace* space_;
    std::size_t depth_left_;
    bool in_record_ = false;
    std::error_code error_;
};

}  // namespace netsync
