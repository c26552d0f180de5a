// netsync: what a CrdtType is. A change is a value of your own type, and merge is the only thing that changes state.
#pragma once

#include <concepts>
#include <netsync/causal/causal_context.hpp>
#include <netsync/causal/replica_id.hpp>
#include <netsync/detail/reflect.hpp>
#include <optional>
#include <type_traits>

namespace netsync {

/// How much of its target a merge speaks about. A delta speaks about what it mentions; a whole state about everything.
enum class Scope { mentioned, whole };

/// Where a merge writes. A state drops what has become empty; a delta keeps the mention of it, for those who get it.
enum class Target { state, delta };

/// The two sides of a causal merge: what each has seen, which says of a dot on one side only whether the other has not
/// seen it yet (keep it) or has seen it removed (drop it).
struct Join {
    const CausalContext& mine;
    const CausalContext& theirs;
    Scope scope = Scope::mentioned;
    Target target = Target::state;
    std::optional<OwnerId> origin{};  ///< who made the delta; none where a whole state is joined

    Join whole() const noexcept { return {mine, theirs, Scope::whole, target, origin}; }
};

/// A leaf without dots: a join-semilattice. `merge` is the least upper bound (idempotent, commutative, associative) and
/// says whether this side rose; a default-constructed value is the bottom. `HighestBid` is the exemplar (README).
template <class T>
concept monotone = std::default_initializable<T> && std::copyable<T> && requires(T& mine, const T& theirs) {
    { mine.merge(theirs) } -> std::same_as<bool>;
};

namespace detail {
struct AnyDot {
    void operator()(Dot) const noexcept {}
};
}  // namespace detail

/// A leaf whose content lies under dots (Almeida, Shoker, Baquero 2018).
///
/// - `merge(theirs, join)`: the join of both contents under both contexts; true if this side changed. Optional for a
///   `theirs` that nobody needs any more (T&&): what it owns may be taken over.
/// - `for_each_dot(f)`: every dot that is alive in it.
/// - `is_bottom()`: holds nothing and, as a delta, mentions nothing.
/// - its encoding: `save`/`load` over an archive (wire/archive.hpp), in one canonical form, so that equal states have
///   equal bytes. Optional `load_and_merge(archive, join)`: reads a whole state and joins it as it is read; true as `merge`.
/// - optional `prefetch(key)`: a hint that `key` is changed next (see prefetch_at).
/// - optional `drop_stable(vector)`: forget metadata that every member has seen (tombstones); true if anything went.
/// - optional `reissue(keep)`: for a delta that says more than its own change did (see netsync::reissue).
/// - optional `permits(owner)`: for a delta, whether `owner` may make it (see Owned).
///
/// Laws: idempotent, commutative, associative; state ⊔ delta = the state as mutated. Exemplar: OrSet.
template <class T>
concept causal_leaf = std::default_initializable<T> && std::copyable<T> &&
                      requires(T& mine, const T& theirs, const Join& join, detail::AnyDot visit) {
                          { mine.merge(theirs, join) } -> std::same_as<bool>;
                          { theirs.for_each_dot(visit) } -> std::same_as<void>;
                          { theirs.is_bottom() } -> std::same_as<bool>;
                      };

template <class T>
inline constexpr bool is_crdt = false;
template <class T>
inline constexpr bool is_causal = false;

/// Anything that a Replica can hold: a causal leaf, a monotone leaf, or a plain struct whose members are CRDTs.
template <class T>
concept crdt = is_crdt<T>;

/// A CRDT whose whole content lies under dots, so that a parent can remove exactly what the remover had seen: what an
/// OrMap can hold. Wrap a monotone type as Joined<T>.
template <class T>
concept causal = is_causal<T>;

namespace detail {

template <class Fields>
inline constexpr bool all_crdt = false;
template <class... Field>
inline constexpr bool all_crdt<Types<Field...>> =
    std::conjunction_v<std::bool_constant<is_crdt<std::remove_cv_t<Field>>>...>;

template <class Fields>
inline constexpr bool all_causal = false;
template <class... Field>
inline constexpr bool all_causal<Types<Field...>> =
    std::conjunction_v<std::bool_constant<is_causal<std::remove_cv_t<Field>>>...>;

}  // namespace detail

template <class T>
    requires causal_leaf<T> || monotone<T>
inline constexpr bool is_crdt<T> = true;
template <detail::plain_struct T>
    requires(!causal_leaf<T> && !monotone<T>)
inline constexpr bool is_crdt<T> = detail::all_crdt<detail::field_types<T>>;

template <causal_leaf T>
inline constexpr bool is_causal<T> = true;
template <detail::plain_struct T>
    requires(!causal_leaf<T> && !monotone<T>)
inline constexpr bool is_causal<T> = detail::all_causal<detail::field_types<T>>;

}  // namespace netsync
