package dev.caisson.architecture;

import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.junit.jupiter.api.Test;

class ArchitectureTest {
    private static final Rooms HOUSE = new Rooms("dev.caisson", new ClassFileImporter().withImportOption(new ImportOption.DoNotIncludeTests()).withImportOption(location -> !location.contains("/client/")).importPackages("dev.caisson"));
    /// A small house beside this test that breaks every rule once.
    private static final Rooms PLANTED = new Rooms("dev.caisson.planted", new ClassFileImporter().importPackages("dev.caisson.planted"));

    @Test
    void arrowsGoOneWay() {
        assertThat(PLANTED.forbiddenArrows()).isNotEmpty().allMatch(arrow -> arrow.startsWith("sandbox → host"));
        assertThat(HOUSE.forbiddenArrows()).isEmpty();
    }

    @Test
    void everyRoomIsThere() {
        assertThat(HOUSE.classes()).hasSizeGreaterThan(100);
    }

    @Test
    void onlyHostStartsProcesses() {
        assertThat(PLANTED.childProcessesOutsideHost()).isNotEmpty();
        assertThat(HOUSE.childProcessesOutsideHost()).isEmpty();
    }

    @Test
    void onlyAppReadsTheClockAndMakesRandomNumbers() {
        assertThat(PLANTED.clocksAndRandomOutsideApp()).hasSizeGreaterThanOrEqualTo(2);
        assertThat(HOUSE.clocksAndRandomOutsideApp()).isEmpty();
    }

    @Test
    void onlyAppUsesStandardStreams() {
        assertThat(PLANTED.standardStreamsOutsideApp()).isNotEmpty();
        assertThat(HOUSE.standardStreamsOutsideApp()).isEmpty();
    }

    @Test
    void namesSayWhatAThingIs() {
        assertThat(PLANTED.namesThatSayNothing()).containsExactly("dev.caisson.planted.node.ThingHelper");
        assertThat(HOUSE.namesThatSayNothing()).isEmpty();
    }

    @Test
    void everyPackageIsNullMarked() {
        assertThat(PLANTED.packagesNotNullMarked()).isNotEmpty();
        assertThat(HOUSE.packagesNotNullMarked()).isEmpty();
    }
}
