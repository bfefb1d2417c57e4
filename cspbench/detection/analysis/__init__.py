"""Why a detector's AP is not higher: types of errors, and which classes are taken for which."""
