"""The part of a report on studies: tables of tricks in miniature, without verdicts on what is published."""
