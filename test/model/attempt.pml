/*
 * One attempt of one cell: the decision on the survivor set (spec §6), who reveals which kind of
 * share (§5.8), and who may use its update again (§5.9). README.md says what stands for what.
 *
 * Honest members are alike, so they are kept sorted: a state and its permutations are one. Liars
 * have no state: in every count they speak for everything, to whom it suits them.
 */
#ifndef G
#define G 4
#endif
/* 2 or 3: two views show every way in which a lock can fail, the third is a check on that. */
#ifndef VIEWS
#define VIEWS 3
#endif
/* The runner passes these in from the code's own parameters. */
#ifndef F
#define F ((G + 2) / 3 - 1)
#endif
#ifndef T
#define T ((2 * G) / 3 + 1)
#endif

/* The rules. Each can be broken from the command line. */
#ifndef LIARS
#define LIARS F
#endif
#ifndef QUORUM
#define QUORUM T
#endif
#ifndef SHARES
#define SHARES T
#endif
#ifndef PROOF
#define PROOF (2 * F + 1)
#endif
#ifndef LOCKS
#define LOCKS true
#endif
#ifndef ABANDONS_AFTER_PRECOMMIT
#define ABANDONS_AFTER_PRECOMMIT false
#endif
#ifndef ABANDONS_WHEN_DECIDED
#define ABANDONS_WHEN_DECIDED false
#endif
#ifndef VOTES_AFTER_ABANDON
#define VOTES_AFTER_ABANDON false
#endif
#ifndef FORGETS
#define FORGETS false
#endif
/* Not a rule of ours: to reveal only once T members have said that they decided the same. */
#ifndef CONFIRMS
#define CONFIRMS false
#endif
#define HONEST (G - LIARS)

/* Values of the decision; the target of never-both is in U1 and not in U2. */
#define U1 0
#define U2 1
#define ABORT 2

/* Votes of honest members, by view and value; nil votes only let time pass. */
byte prevotes[VIEWS * 3];
byte precommits[VIEWS * 3];
byte abandons;
/* Honest members that decided U1, U2. */
byte decided[2];
bit reused;

/*
 * A member: its lock (0 or 1 + place of a vote), its view, what it did in that view, whether it
 * ever precommitted a survivor set, and whether it sent ABANDON and votes all the same.
 */
short member[HONEST];
#define PROPOSE 0
#define PREVOTED 1
#define PRECOMMITTED 2
#define pack(lock, view, step, set, gone) \
  (((((lock) * VIEWS + (view)) * 3 + (step)) * 2 + (set)) * 2 + (gone))
#define gone_of(c) ((c) % 2)
#define set_of(c) (((c) / 2) % 2)
#define step_of(c) (((c) / 4) % 3)
#define view_of(c) (((c) / 12) % VIEWS)
#define lock_of(c) ((c) / (12 * VIEWS))
/* Members that do nothing more. Decided ones are apart by whether they had precommitted a set. */
#define ABANDONED 1000
#define DECIDED 1001
#define DECIDED_AS_VOTER 1002
#define LEFT 1003
#define is_active(c) ((c) < ABANDONED)

#define enough(count, needed) ((count) + LIARS >= (needed))
#define place(view, value) ((view) * 3 + (value))
#define polka(view, value) enough(prevotes[place(view, value)], QUORUM)
#define certified_in(view, value) (enough(precommits[place(view, value)], QUORUM))
#define certified(value) \
  (certified_in(0, value) || certified_in(1, value) || certified_in(VIEWS - 1, value))
#define polka_since(from, before, value) \
  ((from <= 0 && 0 < before && polka(0, value)) || (from <= 1 && 1 < before && polka(1, value)))
#define proven (enough(abandons, PROOF))

#define is_free(c, value) \
  (lock_of(c) == 0 || (lock_of(c) - 1) % 3 == value || \
   polka_since((lock_of(c) - 1) / 3, view_of(c), value))

/* Counts are only ever compared with `needed`: what is above it is the same state. */
inline tally(count, needed) {
  if
  :: !enough(count, needed) -> count++
  :: else
  fi
}

/* Puts the changed member i back in its place, and forgets what the step was about. */
inline settle(next) {
  member[i] = next;
  do
  :: i > 0 && member[i - 1] > member[i] ->
    c = member[i]; member[i] = member[i - 1]; member[i - 1] = c; i--
  :: else -> break
  od;
  do
  :: i < HONEST - 1 && member[i] > member[i + 1] ->
    c = member[i]; member[i] = member[i + 1]; member[i + 1] = c; i++
  :: else -> break
  od;
  c = 0; i = 0
}

/* Lines 22 to 33 of Algorithm 1. */
#define can_prevote(value) \
  (is_active(c) && step_of(c) == PROPOSE && (!LOCKS || is_free(c, value)))
inline prevote(value) {
  d_step {
    printf("view %d: prevote %d\n", view_of(c), value);
    tally(prevotes[place(view_of(c), value)], QUORUM);
    settle(pack(lock_of(c), view_of(c), PREVOTED, set_of(c), gone_of(c)))
  }
}

/* Lines 36 to 43, the lock. Also after a nil prevote, which is no step of its own here. */
#define can_precommit(value) \
  (is_active(c) && step_of(c) != PRECOMMITTED && polka(view_of(c), value))
inline precommit(value) {
  d_step {
    printf("view %d: precommit %d\n", view_of(c), value);
    tally(precommits[place(view_of(c), value)], QUORUM);
    settle(pack(1 + place(view_of(c), value), view_of(c), PRECOMMITTED,
                (set_of(c) || value != ABORT), gone_of(c)))
  }
}

#define can_decide(value) (is_active(c) && !gone_of(c) && certified(value))
inline decide(value) {
  d_step {
    printf("decide %d and reveal by it\n", value);
    tally(decided[value], T);
    settle((set_of(c) -> DECIDED_AS_VOTER : DECIDED))
  }
}

/* A timeout, an early leave, others ahead: any member may leave any view at any time. */
#define can_leave_view (is_active(c) && view_of(c) < VIEWS - 1)

#define can_abandon \
  ((is_active(c) && !gone_of(c) && (!set_of(c) || ABANDONS_AFTER_PRECOMMIT)) || \
   (c == DECIDED && ABANDONS_WHEN_DECIDED))
inline abandon() {
  d_step {
    printf("ABANDON (precommitted a set: %d)\n", (is_active(c) && set_of(c)));
    tally(abandons, PROOF);
    if
    :: VOTES_AFTER_ABANDON ->
      settle(pack(lock_of(c), view_of(c), step_of(c), set_of(c), 1))
    :: else -> settle(ABANDONED)
    fi
  }
}

/* The session ends in `retry`: the update may go into the next attempt. */
#define can_reuse ((is_active(c) || c == ABANDONED) && (proven || certified(ABORT)))
inline reuse() {
  d_step { printf("use the update again\n"); reused = 1; settle(LEFT) }
}

/* Whoever decided has revealed: the worst moment for every property below. */
#define reveals(value) (decided[value] > 0 && (!CONFIRMS || enough(decided[value], T)))
#define shared(value) (reveals(value) && enough(decided[value], SHARES))

inline check() {
#ifdef AGREEMENT
  assert(!(certified(U1) && certified(U2)));
  assert(!((certified(U1) || certified(U2)) && certified(ABORT)));
#endif
#ifdef NEVER_BOTH_SHARES
  assert(!(shared(U1) && shared(U2)));
#endif
#ifdef NEVER_BOTH_DIRECT
  /* A target that decided U1 opens its self-mask seed by itself, without any share. */
  assert(!(reveals(U1) && shared(U2)));
#endif
#ifdef REUSE
  assert(!(reused && (certified(U1) || certified(U2))));
  assert(!(reused && (decided[U1] > 0 || decided[U2] > 0)));
#endif
}

active proctype attempt() {
  byte i = 0;
  short c = 0;
  do
  :: atomic {
    select(i : 0 .. HONEST - 1);
    c = member[i];
    if
    /* The first of equal members stands for all of them. */
    :: i > 0 && member[i - 1] == c -> d_step { c = 0; i = 0 }
    :: else ->
      if
      :: can_prevote(U1) -> prevote(U1)
      :: can_prevote(U2) -> prevote(U2)
      :: can_prevote(ABORT) -> prevote(ABORT)
      :: can_precommit(U1) -> precommit(U1)
      :: can_precommit(U2) -> precommit(U2)
      :: can_precommit(ABORT) -> precommit(ABORT)
      :: can_decide(U1) -> decide(U1)
      :: can_decide(U2) -> decide(U2)
      :: can_leave_view ->
        d_step { settle(pack(lock_of(c), view_of(c) + 1, PROPOSE, set_of(c), gone_of(c))) }
      :: can_abandon -> abandon()
      :: can_reuse -> reuse()
      /* Comes back from a crash without its journal, as if it had never voted. */
      :: is_active(c) && FORGETS -> d_step { printf("forget everything\n"); settle(0) }
      :: else -> d_step { c = 0; i = 0 }
      fi;
      check()
    fi
  }
  od
}
