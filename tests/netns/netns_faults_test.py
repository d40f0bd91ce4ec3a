"""A cluster in network namespaces under faults: killed processes, broken links, and what is left afterwards. Minutes.

usage: netns_faults_test.py BIN_DIRECTORY MODELS_DIRECTORY [unittest arguments]; exit code 77 where namespaces are not permitted
HEARTH_NETNS_KILLS: how often a process is killed before survivors are compared with the beginning (20)
"""

import os
import random
import signal
import sys
import time
import unittest

import isolation
import wrong_clock
from hand_off_case import CHUNKS, HandOffCase
from machines import CONNECTIONS_KEPT_MAX, Cluster, conversation, least_of_a_while, wait_for
from network import run

KILLS = int(os.environ.get("HEARTH_NETNS_KILLS", "20"))
MEMORY_GROWTH_MIB_MAX = 24  # the allocator's arenas, of as many threads as were alive at once
STAGES = (0, 3, 8)  # chunks that have arrived; 0: the peer has begun
LEASE_SECONDS = 30  # the shortest one: a chunk of this model takes far less
TRANSFER_BYTES = 12_000_000  # of one conversation(), a little less
SMALL_DISK_BYTES = 4_000_000  # three chunks
SLEEP_SECONDS = 5
CLOCKS_AHEAD_HOURS = {"ahead": 20, "behind": -20}


class KilledProcesses(HandOffCase):
    def kill(self, what):
        if what == "prefill agent":
            self.spark.stop(signal.SIGKILL)
        elif what == "prefill worker":
            self.spark.kill_worker()
        elif what == "serve":
            self.studio.stop(signal.SIGKILL)
        else:
            self.studio.kill_worker()

    def held_for_others(self):
        """By spark and its worker."""
        stats, status = self.spark.worker().stats(), self.spark.status()
        out = {name: stats[name] for name in ("slots_leased", "slots_busy", "jobs_running", "jobs_pending")}
        out["prefills_running"] = status["machine"].get("prefills_running")
        out["pinned_chunks"] = status["store"]["pinned_chunks"]
        out["hand_offs_waited_for"] = status["hand_offs_waited_for"]
        return out

    def test_a_killed_serve_leaves_nothing_behind_and_answers_when_it_is_back(self):
        self.check(self.studio.ask(self.messages), self.right_text())  # connections are made
        self.check_nothing_is_left()
        held, rest = self.held_for_others(), least_of_a_while(self.spark.resources)
        self.assertEqual(held["prefills_running"], 0)
        for index, stage in enumerate(STAGES[:2]):
            with self.subTest(killed="serve", after_chunks=stage):
                self.messages, self.before = conversation(20_500 + index), self.studio.counts()
                right = self.right_text()
                asking = self.ask_until(stage)
                self.assertFalse(asking.is_over, "it was to be killed in mid hand-off")
                self.kill("serve")
                wait_for("the client to hear of it", lambda: asking.is_over, 30)
                wait_for(lambda: f"{self.spark.name} to hold {held}, not {self.held_for_others()}",
                         lambda: self.held_for_others() == held, LEASE_SECONDS + 10)
                now = least_of_a_while(self.spark.resources)
                self.assertLessEqual(now["files"], rest["files"] + CONNECTIONS_KEPT_MAX)
                self.assertLessEqual(now["threads"], rest["threads"])
                self.bring_back()
                self.before = self.studio.counts()
                self.check(self.studio.ask(self.messages), right)
                self.check_nothing_is_left()

    def test_the_text_is_right_whichever_process_is_killed_whenever(self):
        seed = 20_000
        for what in ("prefill agent", "prefill worker", "decode worker"):
            for stage in STAGES:
                seed += 1
                with self.subTest(killed=what, after_chunks=stage):
                    self.messages, self.before = conversation(seed), self.studio.counts()
                    right = self.right_text()
                    asking = self.ask_until(stage)
                    self.kill(what)
                    self.check(asking.answer(), right)
                    self.bring_back()
                    self.check_nothing_is_left()

    def test_an_answer_whose_worker_is_killed_is_right_or_ends_with_an_error(self):
        right = self.alone.ask(self.messages, tokens=400).text
        asking = self.studio.start_asking(self.messages, tokens=400)
        wait_for("the first token", lambda: any("actual_s" in d for d in self.studio.decisions()) or asking.is_over, 120, 0.01)
        self.kill("decode worker")
        answer = asking.answer()
        self.assertTrue(answer.error or answer.text == right, answer.text)
        self.bring_back()


class BrokenLinks(HandOffCase):
    """`studio.link` carries chunks, `spark.link` questions and cancels."""

    def damage(self, kind, byte_count):
        link = self.studio.link
        if kind == "cut":
            link.cut_after(byte_count)
        elif kind == "half-open":
            link.stall_after(byte_count)
        elif kind == "slow":
            link.slow(bytes_per_s=400_000)
        elif kind == "delayed":
            link.slow(delay_s=0.02)
        elif kind == "refused":
            link.refuse()
        elif kind == "flipped":
            link.flip_after(byte_count)
        elif kind == "lossy":
            self.spark.host.shape_lossy(40e6)

    def check_damage(self, kind):
        """That it was done, where one could not tell otherwise."""
        if kind == "flipped":
            self.assertGreater(self.studio.link.flips, self.flips_before)
        elif kind == "lossy":
            self.assertGreater(self.spark.host.lost_packets(), 0)

    def test_the_text_is_right_whatever_happens_to_the_link_that_carries_chunks(self):
        seed = 21_000
        for kind in ("cut", "half-open", "flipped", "slow", "delayed", "lossy", "refused"):
            for share in (0.1, 0.5, 0.8) if kind in ("cut", "half-open", "flipped") else (0.1,):
                seed += 1
                with self.subTest(link=kind, at=share):
                    self.messages, self.before = conversation(seed), self.studio.counts()
                    right, self.flips_before = self.right_text(), self.studio.link.flips
                    self.damage(kind, int(TRANSFER_BYTES * share))
                    self.check(self.studio.ask(self.messages), right)
                    self.check_damage(kind)
                    self.bring_back()
                    self.check_nothing_is_left()

    def test_the_text_is_right_whatever_happens_to_the_link_that_carries_questions(self):
        seed = 22_000
        for kind in ("stall", "refuse"):
            for stage in (0, 3):
                seed += 1
                with self.subTest(link=kind, after_chunks=stage):
                    self.messages, self.before = conversation(seed), self.studio.counts()
                    right = self.right_text()
                    asking = self.ask_until(stage)
                    getattr(self.spark.link, kind)()
                    self.check(asking.answer(), right)
                    self.bring_back()
                    self.check_nothing_is_left()

    def test_a_cut_at_four_fifths_resends_one_chunk_at_most(self):
        right = self.right_text()
        self.studio.link.cut_after(TRANSFER_BYTES * 8 // 10)
        self.check(self.studio.ask(self.messages), right)
        self.check_nothing_is_left()
        self.assertLessEqual(self.spark.counts()["resent_chunks"] - self.sent_before["resent_chunks"], 1)
        self.assertEqual(self.studio.decisions()[-1]["outcome"], "as chosen")

    def test_a_machine_whose_cable_is_pulled_costs_time_only(self):
        right = self.right_text()
        asking = self.ask_until(3)
        self.spark.host.plug(False)
        self.check(asking.answer(), right)
        self.bring_back()
        self.check_nothing_is_left()


class Sleep(HandOffCase):
    """Stopped and continued: its connections stay, and nothing comes through them."""

    @staticmethod
    def signal_all(machine, how):
        for pid in (machine.process.pid, machine.worker_pid()):
            os.kill(pid, how)

    def test_a_machine_that_falls_asleep_while_it_prefills_costs_time_only(self):
        for index, stage in enumerate(STAGES[:2]):
            with self.subTest(after_chunks=stage):
                self.messages, self.before = conversation(23_500 + index), self.studio.counts()
                right = self.right_text()
                asking = self.ask_until(stage)
                self.signal_all(self.spark, signal.SIGSTOP)
                try:
                    self.check(asking.answer(), right)
                finally:
                    self.signal_all(self.spark, signal.SIGCONT)
                self.bring_back()
                self.check_nothing_is_left()

    def test_a_machine_that_answers_and_sleeps_goes_on_when_it_wakes(self):
        right = self.right_text()
        asking = self.ask_until(3)
        self.assertFalse(asking.is_over, "it was to sleep in mid hand-off")
        self.signal_all(self.studio, signal.SIGSTOP)
        time.sleep(SLEEP_SECONDS)
        self.signal_all(self.studio, signal.SIGCONT)
        self.check(asking.answer(), right)
        self.bring_back()
        self.check_nothing_is_left()


class SmallDisks(Cluster):
    """The chunk stores of all that take part are on disks with room for a few chunks."""

    def folders(self):
        return [machine.home / "chunks" for machine in (self.studio, *self.others.values())]

    def begin(self, studio_options):
        for folder in self.folders():
            folder.mkdir()
            run("mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK_BYTES}", "tmpfs", str(folder))
        super().begin(studio_options)

    def close(self):
        for machine in self.machines:
            machine.close()
        for folder in self.folders():
            if folder.is_mount():  # begin() may not have come so far
                run("umount", "--lazy", str(folder))
        super().close()


class FullDisks(HandOffCase):
    cluster_class = SmallDisks

    def test_the_text_is_right_and_chunks_go_on_from_machine_to_machine(self):
        for index in range(3):
            with self.subTest(index):
                self.messages, self.before = conversation(25_000 + index), self.studio.counts()
                self.check(self.studio.ask(self.messages), self.right_text())
                self.assertGreaterEqual(self.taken_chunks(), CHUNKS - 1)
                self.check_nothing_is_left()
        for folder in self.cluster.folders():
            disk = os.statvfs(folder)
            self.assertLess(disk.f_bavail * disk.f_frsize, TRANSFER_BYTES / CHUNKS, "it was to be full")


class UnlikeClocks(Cluster):
    def begin(self, studio_options):
        for name, hours in CLOCKS_AHEAD_HOURS.items():
            machine = self.others[name]
            machine.clock = wrong_clock.WrongClock(machine.home / "clock", hours)
        super().begin(studio_options)


@unittest.skipUnless(wrong_clock.is_installed(), "libfaketime is not installed; scripts/setup.sh --netns does it")
class WrongClocks(HandOffCase):
    """Only certificates have dates, and they allow a day; nothing that goes from machine to machine has."""

    cluster_class = UnlikeClocks
    others = tuple(CLOCKS_AHEAD_HOURS)

    def check_clock(self, machine, hours):
        for pid in (machine.process.pid, machine.worker_pid()):
            self.assertTrue(machine.clock.is_in(pid))
        self.assertAlmostEqual(machine.clock.ahead_hours(), hours, delta=0.1)

    def check_hand_off(self, asking, right, sent_before, machine):
        self.check(asking.answer(), right)
        self.assertGreaterEqual(machine.counts()["sent_chunks"] - sent_before, CHUNKS)
        decision = self.studio.decisions()[-1]
        self.assertEqual((decision["chosen"], decision["outcome"]), (f"remote on {machine.name} for studio", "as chosen"))
        self.check_nothing_is_left()

    def test_machines_whose_clocks_differ_by_hours_join_and_hand_off(self):
        for index, machine in enumerate(self.cluster.others.values()):
            with self.subTest(machine.name):
                self.check_clock(machine, CLOCKS_AHEAD_HOURS[machine.name])
                away = [other for other in self.cluster.others.values() if other is not machine]
                for other in away:
                    other.stop()
                wait_for("the others to be missed", lambda: self.studio.usable_peers() == [machine.name], 30)
                self.messages, self.before = conversation(26_000 + index), self.studio.counts()
                right, sent_before = self.right_text(), machine.counts()["sent_chunks"]
                self.check_hand_off(self.studio.start_asking(self.messages), right, sent_before, machine)
                self.bring_back()

    def test_a_clock_that_jumps_in_mid_hand_off_costs_nothing(self):
        ahead, behind = self.cluster.others["ahead"], self.cluster.others["behind"]
        behind.stop()
        wait_for("the other to be missed", lambda: self.studio.usable_peers() == ["ahead"], 30)
        for index, hours in enumerate((-20, 20)):
            with self.subTest(to_hours=hours):
                self.messages, self.before = conversation(26_500 + index), self.studio.counts()
                right, sent_before = self.right_text(), ahead.counts()["sent_chunks"]
                asking = self.ask_until(3)
                self.assertFalse(asking.is_over, "it was to jump in mid hand-off")
                ahead.clock.set(hours)
                self.check_hand_off(asking, right, sent_before, ahead)
                self.check_clock(ahead, hours)
        self.bring_back()


class ThreeMachines(HandOffCase):
    others = ("spark-1", "spark-2")

    def test_a_busy_machine_is_passed_over(self):
        other = conversation(23_000)
        right, other_right = self.right_text(), self.alone.ask(other).text
        first = self.studio.start_asking(self.messages)
        wait_for("the first prefill", lambda: any(not self.is_idle(m) for m in self.cluster.others.values()), 60, 0.01)
        second = self.studio.start_asking(other)
        self.check(first.answer(), right)
        self.check(second.answer(), other_right)
        self.assertTrue(all(m.counts()["sent_chunks"] > 0 for m in self.cluster.others.values()))
        self.check_nothing_is_left()

    def test_when_one_is_killed_the_other_is_asked(self):
        one, other = self.cluster.others.values()
        one.stop(signal.SIGKILL)
        wait_for("the loss to be seen", lambda: self.studio.usable_peers() == [other.name], 30)
        before = other.counts()["sent_chunks"]
        self.check(self.studio.ask(self.messages), self.right_text())
        self.assertGreater(other.counts()["sent_chunks"], before)
        self.bring_back()


class ManyKills(HandOffCase):
    warm_up = 4

    def test_survivors_are_as_they_were(self):
        chance = random.Random(7)
        at_first = None
        for index in range(self.warm_up + KILLS):
            if index == self.warm_up:
                at_first = self.settled()
            self.messages, self.before = conversation(24_000 + index, word_count=150), self.studio.counts()
            right = self.right_text()
            asking = self.ask_until(chance.choice((0, 1, 2)))
            victim = chance.choice(("agent", "agent", "worker", "worker", "decode worker"))
            if victim == "agent":
                self.spark.stop(signal.SIGKILL)
            elif victim == "worker":
                self.spark.kill_worker()
            else:
                self.studio.kill_worker()
            answer = asking.answer()
            if victim == "decode worker" and answer.error:  # it dies so often that its start has to wait
                self.assertEqual(answer.error["code"], "service_unavailable")
                wait_for("the worker", lambda: self.studio.status()["worker"]["running"], 60)
                answer = self.studio.ask(self.messages)
            self.check(answer, right)
            self.bring_back()
        at_last = self.settled()
        print(f"{KILLS} kills: {at_first} before, {at_last} after", flush=True)
        self.assertLessEqual(at_last["files"], at_first["files"] + CONNECTIONS_KEPT_MAX)
        self.assertLessEqual(at_last["threads"], at_first["threads"])
        self.assertLess(at_last["memory_mib"], at_first["memory_mib"] + MEMORY_GROWTH_MIB_MAX)

    def settled(self):
        self.check_nothing_is_left()
        return least_of_a_while(self.studio.resources_without_store)


if __name__ == "__main__":
    isolation.enter()
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
